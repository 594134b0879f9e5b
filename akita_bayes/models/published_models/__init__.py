"""Published weights, installed under the name of a model."""
