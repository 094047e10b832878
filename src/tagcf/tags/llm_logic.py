"""What a language model says of topics and roles, as edges in ``out/`` for the logic graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.data.workspace import Workspace
from tagcf.errors import OutputError
from tagcf.tags.llm.batch import Report
from tagcf.tags.llm.logic import ask_edges, count_questions
from tagcf.tags.llm_items import Asked, open_llm, read_table, write_table
from tagcf.tags.roles.vocabulary import names_off
from tagcf.tags.surface import FACET as SURFACE
from tagcf.tags.vocabulary import names_of
from tagcf.text import Language
from tagcf.types import Tag, TagMatrix

FILE = "llm_logic.parquet"
MOST_TOPICS = 1000  # asked about; of a larger own table, those of the most items

_SCHEMA = {
    **dict.fromkeys(("kind", "source", "target"), pl.String),
    "strength": pl.Float32,
    **dict.fromkeys(("reason", "by"), pl.String),
}


@dataclass(frozen=True, slots=True)
class LogicEnds:
    """Topics and roles that a model is asked about."""

    topics: tuple[Tag, ...]
    roles: tuple[Tag, ...]
    left_out: int  # topics beyond `MOST_TOPICS`

    @property
    def questions(self) -> int:
        """How many questions that makes."""
        return count_questions(len(self.topics), len(self.roles))


def logic_ends(workspace: Workspace, tags: TagMatrix, roles: TagMatrix) -> LogicEnds:
    """Choose what to ask about: the topics and roles that items carry.

    Surface tags say how a title is written, not what anybody likes. Roles that touch a protected
    attribute which is off are never asked about, nor are topics that bear the name of one.
    """
    off = names_off(workspace.settings.roles.protected)
    threshold = workspace.settings.tags.threshold

    def carried(matrix: TagMatrix) -> list[Tag]:
        counts = np.asarray(matrix.carried(threshold).sum(axis=0)).ravel()
        order = np.argsort(-counts, kind="stable")
        every = (matrix.tags[k] for k in order if counts[k] > 0)
        return [tag for tag in every if tag.facet != SURFACE and not names_of(tag) & off]

    topics = carried(tags)
    return LogicEnds(
        topics=tuple(sorted(topics[:MOST_TOPICS], key=lambda tag: tag.slug)),
        roles=tuple(sorted(carried(roles), key=lambda tag: tag.slug)),
        left_out=max(len(topics) - MOST_TOPICS, 0),
    )


def ask_logic(
    workspace: Workspace, ends: LogicEnds, language: Language, report: Report | None = None
) -> Asked:
    """Ask which roles go with each topic and which topics with each role, and keep the edges.

    Returns
    -------
    The table of ``out/llm_logic.parquet``: kind (topic_to_role, role_to_topic), source and
    target (slugs), strength (0..1), reason, and which model said so.
    """
    with open_llm(workspace) as (client, journal):
        by = client.server.source
        edges = ask_edges(client, ends.topics, ends.roles, language, journal, report)
        rows = [
            (edge.kind, edge.source, edge.target, edge.strength, edge.reason, by) for edge in edges
        ]
        account = client.account
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return Asked(table, account, write_table(workspace, FILE, table))


def read_logic_edges(workspace: Workspace) -> pl.DataFrame | None:
    """Read the edges that a model stated; ``None`` where it was never asked.

    Raises
    ------
    OutputError
        The file cannot be read, or another program wrote it.
    """
    path = workspace.out / FILE
    if not path.is_file():
        return None
    command = f"tagcf tag {workspace.root} --roles --using llm"
    table = read_table(workspace, FILE, command)
    if dict(table.schema) != _SCHEMA:
        raise OutputError("error.foreign_output", path=path, command=command)
    return table
