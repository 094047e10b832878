"""Items and users that nobody knows yet: told from tags, roles, embeddings and segments."""
