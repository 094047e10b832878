"""(1) Raw logs to an EventLog."""
