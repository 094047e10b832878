"""What an event says, of which content, and who did it."""
