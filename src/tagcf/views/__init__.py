"""(9) Results to picture data and sentences."""
