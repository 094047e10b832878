"""Everything linear: sums over the log, and what is solved from them."""
