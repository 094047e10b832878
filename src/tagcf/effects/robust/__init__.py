"""Doubly robust average effects: an outcome model and a score, one of which may be wrong."""
