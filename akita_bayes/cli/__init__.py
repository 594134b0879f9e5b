"""One module per command: a parser and one library call."""
