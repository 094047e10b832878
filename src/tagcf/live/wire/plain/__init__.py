"""Plain JSON straight into columns, without a Python object for each event.

`kernels.parse` takes flat objects with the fields of `Event`, each at most once and of the right
type, and nothing else; about anything further it says no, and msgspec reads the batch and finds
the words for what is wrong. Three to four times as fast as decoding into objects and gathering
their fields; pyarrow's and polars' readers are no faster than that (benchmarks/ingest_live.py).
"""
