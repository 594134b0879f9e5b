"""Contact counts of coolers, and the training targets computed from them."""
