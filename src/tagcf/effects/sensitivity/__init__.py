"""Doubt: what speaks against an effect, and which claims it withdraws."""
