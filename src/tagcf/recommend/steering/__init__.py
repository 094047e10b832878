"""What rules do to scores and candidates."""
