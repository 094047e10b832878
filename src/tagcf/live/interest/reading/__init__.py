"""From the state to answers: strengths, scores, and where they come from."""
