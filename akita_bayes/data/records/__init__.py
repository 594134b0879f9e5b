"""Training records on disk, and the fast reader of them."""
