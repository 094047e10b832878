"""Propensity score matching, one tag at a time."""
