"""Roles of items: from their texts by the encoders of tags, and from tables such as an LLM's.

A table's names are looked up among the roles. A name that is none of them is not used: nobody has
said whether it touches a protected attribute. `unknown_roles` lists such names for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.encode import TextEncoder, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import matrix_frame, tag_matrix_from_frame, with_slugs
from tagcf.tags.roles.vocabulary import RoleVocabulary, all_roles, allowed_roles
from tagcf.types import IdMap, TagMatrix

# Of the sentence embedding's strengths. A text stands out less among a hundred roles than among
# hundreds of tags; chosen on the tuning half of tests/tags/role_captions.toml.
MIDPOINT = 3.5
COLUMNS = ("item_id", "role", "strength", "source", "confidence")


def encode_roles(
    texts: pl.Series | pl.DataFrame,
    roles: RoleVocabulary | None = None,
    using: Sequence[TextEncoder] | None = None,
    progress: Callable[[int], None] | None = None,
) -> TagMatrix:
    """Find the roles that texts speak to; parameters as of `encode_tags`.

    Examples
    --------
    >>> import polars as pl
    >>> from tagcf.tags.lexicon import Lexicon
    >>> found = encode_roles(pl.Series(["新手爸爸第一次换尿布"]), using=[Lexicon()])
    >>> [role.zh for role in found.tags]
    ['新手爸爸']
    """
    vocabulary = (roles or allowed_roles()).vocabulary
    encoders = role_encoders() if using is None else using
    return encode_tags(texts, vocabulary, encoders, progress)


def role_encoders() -> tuple[TextEncoder, ...]:
    """Words, and meaning where its weights are installed."""
    meaning = (SentenceEmbedding(midpoint=MIDPOINT),) if embedding_installed() else ()
    return (Lexicon(), *meaning)


def role_matrix(
    table: pl.DataFrame,
    items: IdMap,
    roles: RoleVocabulary | None = None,
    texts: TagMatrix | None = None,
) -> TagMatrix:
    """Turn a table of roles into a matrix over `items`.

    Parameters
    ----------
    table
        Columns item_id, role (any of its names), and optionally strength (0..1), source and
        confidence, as an LLM's extraction gives. Roles that are unknown or off are not used.
    texts
        Roles found in texts (`encode_roles`) to put beside the table; of two rows for one item
        and role the stronger counts.

    Raises
    ------
    ValueError
        A strength or confidence is outside 0..1.
    """
    known = (roles or allowed_roles()).roles
    given = with_slugs(table.rename({"role": "tag"}), known)
    rows = given.filter(pl.col("tag").is_in([role.slug for role in known]))
    if texts is not None:
        rows = pl.concat([rows, matrix_frame(texts)], how="diagonal_relaxed")
    return tag_matrix_from_frame(rows, items, known)


def unknown_roles(table: pl.DataFrame) -> pl.DataFrame:
    """Names of a table that are no role at all, switched on or off: columns role, items."""
    every = all_roles().roles
    given = with_slugs(table.rename({"role": "tag"}), every)
    left = given.filter(~pl.col("tag").is_in([role.slug for role in every]))
    return (
        left.group_by(pl.col("tag").alias("role"))
        .agg(pl.col("item_id").n_unique().alias("items"))
        .sort(["items", "role"], descending=[True, False])
    )
