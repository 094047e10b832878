"""Sums and tables as the pairs that occur."""
