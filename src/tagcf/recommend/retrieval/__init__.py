"""Candidates of catalogues that are too large to score whole."""
