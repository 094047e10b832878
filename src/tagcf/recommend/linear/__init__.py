"""Directed linear next-item model: closed form, additive statistics, exact attribution."""
