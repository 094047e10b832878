"""(2) Content to a TagMatrix."""
