"""Why an item is recommended, why another one is not, and what would change it."""
