"""Outcome models that learn from every batch.

::

    learner    FTRL-proximal on hashed features
    showings   what became of each showing
    progress   progressive validation: AUC, log loss, calibration
"""
