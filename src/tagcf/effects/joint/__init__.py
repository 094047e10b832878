"""All tags at once, on all rows or on random and chosen rows together."""
