"""Features of lines as 64-bit hashes, and the sums of their weights."""
