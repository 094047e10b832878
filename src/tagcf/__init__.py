"""TagCF: which tags cause which behaviour, for whom, and how sure."""

__version__ = "0.1.0"
