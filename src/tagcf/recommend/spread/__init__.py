"""Lists that reach further into the catalogue, at no accuracy to speak of."""
