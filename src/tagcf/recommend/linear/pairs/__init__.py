"""Pairs of a user's events, and what each adds to the sums of a linear model."""
