"""(5) Histories and effects become rankings: candidates, sequences, ranker, reasons, evaluation."""
