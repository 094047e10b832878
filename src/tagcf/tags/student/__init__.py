"""A small local model that learned from a teacher's tags, so that the teacher is asked seldom."""
