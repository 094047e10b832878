"""The decayed sums of rows."""
