"""The logic graph as a term of the score: user → roles → topics → items, only where it helps."""
