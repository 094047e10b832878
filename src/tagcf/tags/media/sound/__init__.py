"""Sound to tags: what is measured without weights, and what small models and speech add."""
