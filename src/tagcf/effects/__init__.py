"""(3) An EventLog and tags to TagEffects."""
