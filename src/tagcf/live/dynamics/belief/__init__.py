"""What each user wants now: a belief over tags, and when it has moved on."""
