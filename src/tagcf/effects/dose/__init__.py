"""Outcomes of a user and a period: return within days."""
