"""How well rankings do: full ranking on held-out next items, with intervals between models.

``splits`` (who is asked what) → ``search`` (settings by validation) → ``ranking`` (ranks of the
targets, top lists) → ``metrics``, ``beyond``, ``slices``, ``intervals`` → ``harness`` (a table).
All but ``harness`` know no model, so that models may use them in their own searches.
"""
