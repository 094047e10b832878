"""From a batch of events to the state: content, evidence, rows, sums."""
