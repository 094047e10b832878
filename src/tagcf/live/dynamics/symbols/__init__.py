"""What each event is as evidence reads it: its kind, and what came before on the same content."""
