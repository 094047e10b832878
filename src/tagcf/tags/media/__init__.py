"""Pictures, videos and sounds to tags: opened once, read by every encoder of a modality."""
