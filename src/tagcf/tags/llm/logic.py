"""Logic between topics and roles: whom a topic speaks to, and what a role wants to watch.

Step (c) of the published TagCF (Yu et al., NeurIPS 2025, arXiv 2505.10940, its I2U and U2I): a
model is asked for the roles of each topic and for the topics of each role, and the `TOP`
strongest edges of each source are kept. What is told is knowledge of the world, no behaviour:
`roles.graph.build_logic` puts it beside what users do, and behaviour that is sure outweighs it.

Names of topics may come from a workspace's own tables. So source and choice alike are sent as
data, and the model answers with numbers: no name of theirs is in the instructions or the schema.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tagcf.tags.journal import Journal
from tagcf.tags.llm.answer import (
    REASON_LIMIT,
    Entry,
    ReasonText,
    Tenths,
    list_schema,
    object_schema,
    read_entries,
)
from tagcf.tags.llm.batch import Report, ask_all
from tagcf.tags.llm.client import Answer, Client
from tagcf.tags.llm.plain import plain_line
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.text import Language
from tagcf.types import Tag

PROMPT = "logic-1"
TOP = 20  # edges kept of each source, as in the paper
OFFERED = 60  # targets that one question lists at most; more are asked for in several
MOST = 10  # targets of one answer
NAME_LIMIT = 40  # letters of a name

Kind = Literal["topic_to_role", "role_to_topic"]

_ASKED: dict[Kind, str] = {
    "topic_to_role": """\
The data names one topic of content and a numbered list of roles. Which of the roles would seek \
out content on this topic clearly more than other people do, because of who they are or of what \
their days are like?""",
    "role_to_topic": """\
The data names one role, a kind of viewer, and a numbered list of topics of content. Which of the \
topics would people in this role seek out clearly more than other people do, also those that the \
role does not name?""",
}
_INSTRUCTIONS = """\
You know why people choose what they watch. {question} At most {most}, strongest first; leave out \
what everybody likes and what only resembles the name; an empty list is a good answer. number: \
its number in the list. reason: why, in one short sentence of at most {limit} characters, in \
{language}. strength: 1 a little more than other people to 10 what they live for."""
_LANGUAGES: dict[Language, str] = {"zh": "Chinese", "en": "English"}
_LABELS: dict[Kind, tuple[str, str]] = {
    "topic_to_role": ("roles", "topic"),
    "role_to_topic": ("topics", "role"),
}


@dataclass(frozen=True, slots=True)
class LogicQuestion:
    """One source, and some of the targets that it may lead to."""

    kind: Kind
    source: Tag
    targets: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class SaidEdge:
    """An edge that a model states."""

    kind: Kind
    source: str  # slug
    target: str  # slug
    strength: float  # 0..1
    reason: str


class _Edge(Entry):
    number: int
    reason: ReasonText
    strength: Tenths


def logic_questions(
    topics: Sequence[Tag], roles: Sequence[Tag], offered: int = OFFERED
) -> Iterator[LogicQuestion]:
    """Every topic against all roles, then every role against all topics, in even parts."""
    sides: tuple[tuple[Kind, Sequence[Tag], Sequence[Tag]], ...] = (
        ("topic_to_role", topics, roles),
        ("role_to_topic", roles, topics),
    )
    for kind, sources, targets in sides:
        parts = tuple(_parts(targets, offered))
        for source in sources:
            for part in parts:
                yield LogicQuestion(kind, source, part)


def logic_request(question: LogicQuestion, language: Language = "zh") -> Request:
    """Ask one question; reasons are wanted in `language`."""
    instructions = _INSTRUCTIONS.format(
        question=_ASKED[question.kind],
        most=MOST,
        limit=REASON_LIMIT,
        language=_LANGUAGES[language],
    )
    listed = "\n".join(f"{k}: {_name(tag)}" for k, tag in enumerate(question.targets, start=1))
    list_label, source_label = _LABELS[question.kind]
    blocks = (Block(list_label, listed), Block(source_label, _name(question.source)))
    longest = (len(question.targets) + 1) * (2 * NAME_LIMIT + 12)
    # A list without its middle would be answered as if it were whole.
    return make_request(
        PROMPT, instructions, _schema(question), blocks, limit=longest, divisible=False
    )


def read_edges(question: LogicQuestion, answer: Answer) -> tuple[SaidEdge, ...]:
    """Edges of an answer, each target once, strongest first; never raises."""
    best: dict[int, SaidEdge] = {}
    for entry in read_entries(answer.text, _schema(question), "edges", _Edge):
        target = question.targets[entry.number - 1].slug
        said = SaidEdge(
            question.kind, question.source.slug, target, entry.strength / 10, entry.reason
        )
        if entry.number not in best or said.strength > best[entry.number].strength:
            best[entry.number] = said
    return tuple(sorted(best.values(), key=lambda edge: -edge.strength))


def ask_edges(
    client: Client,
    topics: Sequence[Tag],
    roles: Sequence[Tag],
    language: Language = "zh",
    journal: Journal | None = None,
    report: Report | None = None,
    *,
    top: int = TOP,
    offered: int = OFFERED,
) -> Iterator[SaidEdge]:
    """Ask for the roles of every topic and the topics of every role.

    Parameters
    ----------
    topics, roles
        Both ends; which roles may be asked for at all is for the caller to say
        (`roles.vocabulary.allowed_roles`).
    top
        Edges kept of each source.
    offered
        Targets in one question.

    Yields
    ------
    Edges, source by source, strongest first. Questions without an answer are counted in
    ``client.account.failed``.

    Raises
    ------
    ServerError
        See `ask_all`.
    """
    asked: deque[LogicQuestion] = deque()

    def requests() -> Iterator[Request]:
        for question in logic_questions(topics, roles, offered):
            asked.append(question)
            yield logic_request(question, language)

    def answers() -> Iterator[tuple[LogicQuestion, tuple[SaidEdge, ...]]]:
        for outcome in ask_all(client, requests(), journal, report):
            question = asked.popleft()
            yield question, () if outcome.answer is None else read_edges(question, outcome.answer)

    for _, parts in groupby(answers(), key=lambda one: (one[0].kind, one[0].source.slug)):
        yield from _strongest([edges for _, edges in parts], top)


def count_questions(topics: int, roles: int, offered: int = OFFERED) -> int:
    """How many questions `ask_edges` has."""
    return topics * -(-roles // offered) + roles * -(-topics // offered)


def _strongest(parts: Iterable[Sequence[SaidEdge]], top: int) -> list[SaidEdge]:
    """The `top` strongest of several answers; among equals, those their answers put first."""
    ranked = [(-edge.strength, rank, edge) for part in parts for rank, edge in enumerate(part)]
    ranked.sort(key=lambda one: one[:2])
    return [edge for *_, edge in ranked[:top]]


def _parts(targets: Sequence[Tag], offered: int) -> Iterator[tuple[Tag, ...]]:
    """Parts of at most `offered`, as even as can be: the last one isn't asked about a rest."""
    count = -(-len(targets) // offered)
    for k in range(count):
        yield tuple(targets[k * len(targets) // count : (k + 1) * len(targets) // count])


def _name(tag: Tag) -> str:
    """Both names, or the one that there is."""
    names = dict.fromkeys(plain_line(name, NAME_LIMIT) for name in (tag.zh, tag.en))
    return " / ".join(names)


def _schema(question: LogicQuestion) -> dict[str, object]:
    numbers = range(1, len(question.targets) + 1)
    return object_schema(edges=list_schema(_Edge, MOST, number=numbers))
