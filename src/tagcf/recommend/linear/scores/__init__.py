"""Scores of a linear model: rows of its tables added up over the last events."""
