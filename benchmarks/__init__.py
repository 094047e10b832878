"""Measured figures: a script, its committed result, the machine; peers in the same run."""
