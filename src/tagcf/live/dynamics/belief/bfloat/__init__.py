"""Numbers of 16 bits: the upper half of a float32."""
