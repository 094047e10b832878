"""From what somebody likes to what else they may: paths topic → role → topic, with their reasons.

The score of a path is the strength of its start times its edges' weights (log lifts), times
`damping` for every edge after the first. A target's score is the sum over its paths less what the
same rule gives an average user: centred, so that what everybody is led to leads nobody there.
Only positive edges are followed, and never those of shared items (`LogicGraph.same_item`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.errors import UnknownNameError
from tagcf.tags.roles.graph import ORIGINS, Edges, LogicGraph, Origin
from tagcf.tags.roles.users import RoleOfUser
from tagcf.tags.vocabulary import name_index
from tagcf.text import did_you_mean, say
from tagcf.types import Floats, Tag

DAMPING = 0.5
FRONTIER = 5000  # paths followed on from each step, the strongest first

Start = Mapping[str, float] | Iterable[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One edge of a path."""

    weight: float  # log lift reckoned with
    se: float
    users: int  # behind it
    origin: Origin


@dataclass(frozen=True, slots=True)
class Path:
    """Why a target: from something liked, over roles and topics, to it."""

    nodes: tuple[Tag, ...]
    steps: tuple[Step, ...]  # one fewer than nodes
    score: float  # of this path
    se: float  # by the delta method, edges independent
    target_score: float  # of the target, over all its paths, centred

    @property
    def target(self) -> Tag:
        """Where the path leads."""
        return self.nodes[-1]

    def __str__(self) -> str:
        return render_path(self)


@dataclass(frozen=True, slots=True)
class _Walk:
    """A path on its way: positions of its nodes, positions of its edges, and its score."""

    nodes: tuple[int, ...]
    edges: tuple[int, ...]
    score: float


def infer(
    graph: LogicGraph,
    start: Start,
    hops: int = 2,
    k: int = 20,
    *,
    damping: float = DAMPING,
) -> tuple[Path, ...]:
    """Paths to the `k` best targets, best target first, strongest path of a target first.

    Parameters
    ----------
    start
        Names of topics, or of roles (all of one kind), by any of their names; with a mapping,
        how much each is liked. `start_of` makes one of a user's roles.
    hops
        Edges of a path: 2 leads from topics to topics, 1 from roles to topics or from topics to
        roles. Longer ones include those shorter by 2, 4 …

    Raises
    ------
    UnknownNameError
        A name of `start` is neither a topic nor a role of the graph.
    """
    strength, from_topics = _start(graph, start)
    sides = (graph.to_roles, graph.to_topics) if from_topics else (graph.to_topics, graph.to_roles)
    lengths = range(2 - hops % 2, hops + 1, 2)
    walks = [_Walk((node,), (), much) for node, much in strength.items()]
    arrived: list[_Walk] = []
    for step in range(hops):
        fade = damping if step else 1.0
        walks = _onwards(walks, sides[step % 2], fade)
        if step + 1 in lengths:
            arrived += walks
    started = np.zeros(len(graph.topics if from_topics else graph.roles))
    started[list(strength)] = list(strength.values())
    raw = _spread(graph, started, lengths, damping, from_topics=from_topics)
    base = graph.topic_share if from_topics else graph.role_share
    usual = base / max(float(base.sum()), 1e-12)
    centred = raw - _spread(graph, usual, lengths, damping, from_topics=from_topics)
    taboo = set(strength) if hops % 2 == 0 else set()
    ends = [
        end
        for end in np.lexsort((np.arange(len(centred)), -centred))
        if centred[end] > 0 and end not in taboo
    ][:k]
    rank = {int(end): place for place, end in enumerate(ends)}
    kept = [walk for walk in arrived if walk.nodes[-1] in rank]
    kept.sort(key=lambda walk: (rank[walk.nodes[-1]], -walk.score, walk.nodes))
    return tuple(
        _path(graph, walk, sides, float(centred[walk.nodes[-1]]), from_topics=from_topics)
        for walk in kept
    )


def topic_scores(
    graph: LogicGraph, interests: sparse.csr_array, *, damping: float = DAMPING
) -> Floats:
    """(n, T) centred scores of topics two hops from interests (n, T), of many users at once.

    Rows are brought to a sum of 1. The same numbers as `infer` gives its targets.
    """
    total = np.asarray(interests.sum(axis=1)).ravel()
    rows = sparse.diags_array(1 / np.maximum(total, 1e-12)) @ interests
    two = damping * (_positive(graph, to_roles=True) @ _positive(graph, to_roles=False))
    base = graph.topic_share / max(float(graph.topic_share.sum()), 1e-12)
    return np.asarray((rows @ two).toarray() - (total > 0)[:, None] * (base @ two))


def start_of(roles: Iterable[RoleOfUser]) -> dict[str, float]:
    """Take a user's roles for a start: those surely above 1, by their log lift."""
    return {one.role.slug: float(np.log(one.lift)) for one in roles if one.verdict == "more"}


def render_path(path: Path) -> str:
    """One line, 喜欢 A 的人 → 角色 R → 也会看 B, and what it rests on; in the language in force."""
    first, *middle, last = path.nodes
    parts = [
        say("roles.path_start" if first.facet != "role" else "roles.path_role", **_name(first))
    ]
    for node in middle:
        key = "roles.path_role" if node.facet == "role" else "roles.path_topic"
        parts.append(say(key, **_name(node)))
    parts.append(
        say("roles.path_end" if last.facet != "role" else "roles.path_role", **_name(last))
    )
    grounds = [_grounds(step) for step in path.steps]
    return say("roles.path", path=" → ".join(parts), grounds=say("roles.comma").join(grounds))


def render_user_roles(roles: tuple[RoleOfUser, ...] | None) -> list[str]:
    """Lines on a user's roles, or the line that says that nothing can be said."""
    if roles is None:
        return [say("roles.too_few_events")]
    sure = [one for one in roles if one.verdict == "more"]
    if not sure:
        return [say("roles.none_clear")]
    return [
        say("roles.of_user", lift=one.lift, low=one.low, high=one.high, **_name(one.role))
        for one in sure
    ]


def _name(tag: Tag) -> dict[str, str]:
    return {"name_zh": tag.zh, "name_en": tag.en}


def _grounds(step: Step) -> str:
    key = {"behaviour": "step_behaviour", "llm": "step_llm", "both": "step_both"}[step.origin]
    return say(f"roles.{key}", lift=float(np.exp(step.weight)), users=step.users)


def _start(graph: LogicGraph, start: Start) -> tuple[dict[int, float], bool]:
    """Positions and strengths (sum 1) of a start, and whether it is topics."""
    wanted = dict(start) if isinstance(start, Mapping) else dict.fromkeys(start, 1.0)
    topics, roles = name_index(graph.topics), name_index(graph.roles)
    from_topics = all(name.strip().casefold() in topics for name in wanted)
    index, tags = (topics, graph.topics) if from_topics else (roles, graph.roles)
    place = {tag.slug: k for k, tag in enumerate(tags)}
    found: dict[int, float] = {}
    for name, much in wanted.items():
        tag = index.get(name.strip().casefold())
        if tag is None:
            hint = did_you_mean(name.casefold(), [*topics, *roles])
            raise UnknownNameError("roles.unknown_start", name=name, hint=hint)
        if much > 0:
            found[place[tag.slug]] = found.get(place[tag.slug], 0.0) + much
    total = sum(found.values())
    return {node: much / total for node, much in found.items()}, from_topics


def _onwards(walks: list[_Walk], edges: Edges, fade: float) -> list[_Walk]:
    """Every walk by one positive edge on, to nodes of that side it has not been to."""
    begins = np.searchsorted(edges.source, np.arange(int(edges.source.max(initial=-1)) + 2))
    longer = []
    for walk in walks:
        node = walk.nodes[-1]
        if node + 1 >= len(begins):
            continue
        for edge in range(begins[node], begins[node + 1]):
            target = int(edges.target[edge])
            if edges.weight[edge] > 0 and target not in walk.nodes[-2::-2]:
                score = walk.score * fade * float(edges.weight[edge])
                longer.append(_Walk((*walk.nodes, target), (*walk.edges, edge), score))
    longer.sort(key=lambda walk: (-walk.score, walk.nodes))
    return longer[:FRONTIER]


def _positive(graph: LogicGraph, *, to_roles: bool) -> sparse.csr_array:
    edges = graph.to_roles if to_roles else graph.to_topics
    shape = (len(graph.topics), len(graph.roles))
    matrix = edges.matrix(*(shape if to_roles else shape[::-1]))
    matrix.data = np.maximum(matrix.data, 0.0)
    return matrix


def _spread(
    graph: LogicGraph, start: Floats, lengths: range, damping: float, *, from_topics: bool
) -> Floats:
    """Scores of the targets after `lengths` edges from `start`, walks back and forth included."""
    scores = start
    total: Floats | None = None
    to_roles = from_topics
    for step in range(max(lengths)):
        scores = (damping if step else 1.0) * (scores @ _positive(graph, to_roles=to_roles))
        to_roles = not to_roles
        if step + 1 in lengths:
            total = scores if total is None else total + scores
    return np.asarray(total)


def _path(
    graph: LogicGraph,
    walk: _Walk,
    sides: tuple[Edges, Edges],
    target_score: float,
    *,
    from_topics: bool,
) -> Path:
    kinds = (graph.topics, graph.roles) if from_topics else (graph.roles, graph.topics)
    steps = []
    for place, edge in enumerate(walk.edges):
        edges = sides[place % 2]
        steps.append(
            Step(
                float(edges.weight[edge]),
                float(edges.weight_se[edge]),
                int(edges.users[edge]),
                ORIGINS[int(edges.origin[edge])],
            )
        )
    relative = np.sqrt(sum((step.se / step.weight) ** 2 for step in steps))
    nodes = tuple(kinds[place % 2][node] for place, node in enumerate(walk.nodes))
    return Path(nodes, tuple(steps), walk.score, float(walk.score * relative), target_score)
