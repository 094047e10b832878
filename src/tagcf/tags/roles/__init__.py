"""Whom content speaks to, and what goes with whom: roles of items and users, the logic graph."""
