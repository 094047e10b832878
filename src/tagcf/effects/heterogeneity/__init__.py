"""For whom, and with what: pairs of tags, users, kin of a tag, and what goes through another."""
