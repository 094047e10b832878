"""Outcome models that learn from every batch."""
