"""Sequence models: a small causal transformer served without torch, and fusion of scores."""
