"""Asking for memory before it is needed."""
