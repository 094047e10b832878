"""Tables of the strongest pairs, for logs whose pairs do not fit in memory."""
