"""Dense rows of keys that come as they please."""
