"""Two-stage least squares with randomly assigned columns."""
