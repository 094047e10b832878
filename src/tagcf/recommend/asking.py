"""From the ids of a request to codes, rules that act, and a list for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagcf.recommend.explain.explanation import Asked
from tagcf.recommend.listing import Showing, blocked_from, choose, listed
from tagcf.recommend.pipeline import Candidates, Request, find_candidates
from tagcf.recommend.requested import Who
from tagcf.recommend.steer import Rule, acting, first_of
from tagcf.recommend.train import Trained
from tagcf.text import listing, say
from tagcf.types import Acted, Codes, Ranking, Reason

FEW = 3  # unknown ids that a note names


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request says beside whom it is for."""

    channel: str | None
    segments: Mapping[str, str]
    rules: tuple[Rule, ...]
    exclude_seen: bool


def ask(
    trained: Trained,
    version: str,
    who: Who,
    asking: Asking,
    candidates: Sequence[str] | None = None,
) -> Asked:
    """Turn ids into codes and find the rules that act.

    Raises
    ------
    UnknownNameError
        A user, or a rule's tag, that does not exist.
    """
    notes: list[Reason] = []
    catalogue, people = trained.catalogue, trained.people
    user, at, segments = None, -1, dict(asking.segments)
    if isinstance(who, str):
        user, at = who, people.require(who)
        items, times = people.history(at)
        segments = people.segments_of(at) | segments
    else:
        items, times = catalogue.find(who), np.full(len(who), np.nan)
    known: Codes = items[items >= 0]
    if unknown := int(items.size - known.size):
        strange = [str(one) for one, at in zip(who, items.tolist(), strict=False) if at < 0]
        facts = (("n", unknown), ("items", first_ids(strange)))
        notes.append(Reason("recommend.note_unknown_events", facts))
        times = times[items >= 0]
    groups = people.levels_of(segments)
    notes += _notes_on_segments(trained, asking.segments, groups, empty=not known.size)
    allowed = None
    if candidates is not None:
        found = catalogue.find(candidates)
        allowed = np.unique(found[found >= 0])
        if lost := int((found < 0).sum()):
            strange = [str(candidates[at]) for at in np.flatnonzero(found < 0).tolist()]
            facts = (("n", lost), ("items", first_ids(strange)))
            notes.append(Reason("recommend.note_unknown_candidates", facts))
    rules = acting(asking.rules, catalogue, user, segments, asking.channel)
    hidden = known if asking.exclude_seen else known[:0]
    request = Request(known, at, hidden, allowed, rules, groups=groups)
    acted = _acted(trained, version, request, asking)
    return Asked(user, request, times, acted, tuple(notes), trained.simulated)


def first_ids(ids: Sequence[str]) -> str:
    """Name a few ids, and say whether there are more."""
    few = listing(dict.fromkeys(ids[:FEW]))
    return few if len(ids) <= FEW else say("recommend.and_more", names=few)


def _notes_on_segments(
    trained: Trained, asked: Mapping[str, str], groups: tuple[int, ...], *, empty: bool
) -> list[Reason]:
    """What stands for a history that is empty, and segments that do not exist."""
    levels, known = trained.people.levels, dict(trained.people.segments)
    notes = [
        _unknown_segment(name, level, known)
        for name, level in asked.items()
        if level not in known.get(name, ())
    ]
    if empty and groups and trained.models.terms.segments is not None:
        names = ", ".join(levels[one] for one in groups)
        notes.append(Reason("recommend.note_segments", (("segments", names),)))
    elif empty:
        notes.append(Reason("recommend.note_empty_history"))
    return notes


def _unknown_segment(name: str, level: str, known: Mapping[str, Sequence[str]]) -> Reason:
    """Say what there is: the levels of the column, or the columns."""
    there = known.get(name)
    facts = (("segment", f"{name}={level}"), ("name", name))
    if there is None:
        return Reason("recommend.note_unknown_column", (*facts, ("known", first_of([*known]))))
    return Reason("recommend.note_unknown_segment", (*facts, ("known", first_of(there))))


def _acted(trained: Trained, version: str, request: Request, asking: Asking) -> Acted:
    settings = trained.settings
    told = [("model", settings.model), ("candidates", str(settings.candidates))]
    if trained.models.ranks_by_utility:
        worth = ", ".join(f"{name}={value:g}" for name, value in settings.utility.items())
        told.append(("utility", worth))
    if settings.diversity > 0:
        told.append(("diversity", f"{settings.diversity:g}"))
    told.append(("exclude_seen", str(asking.exclude_seen).lower()))
    if asking.channel is not None:
        told.append(("channel", asking.channel))
    return Acted(
        model=version,
        effects=None if trained.evidence is None else trained.evidence.version,
        tags=trained.catalogue.tags_version or None,
        settings=tuple(told),
        rules=tuple(one.rule.label for one in request.rules),
    )


def make_list(trained: Trained, asked: Asked, showing: Showing) -> Ranking:
    """Rank, choose, and tell why."""
    models, catalogue = trained.models, trained.catalogue
    request = replace(asked.request, least=showing.k)
    found = find_candidates(models, catalogue, request)
    shown = choose(found, catalogue, showing)
    explored = showing.explore > 0
    items = listed(
        models,
        catalogue,
        trained.evidence,
        request,
        asked.times,
        found,
        shown,
        explored=explored,
    )
    acted = asked.acted
    if explored:
        acted = replace(acted, settings=(*acted.settings, ("explore", f"{showing.explore:g}")))
    return Ranking(
        user=asked.user,
        items=items,
        acted=acted,
        notes=(*asked.notes, *_notes(found, request, len(items), showing.k)),
        blocked=blocked_from(found, request, catalogue, showing.k),
        simulated=asked.simulated,
    )


def _notes(found: Candidates, request: Request, n: int, k: int) -> list[Reason]:
    """What there is to say of a list that is shorter than was asked, or of bad scores."""
    notes = []
    if found.unusable:
        notes.append(Reason("recommend.note_unusable", (("n", found.unusable),)))
    if n < k:
        all_had = n == 0 and np.unique(request.hidden).size >= found.all_scores.size
        key = "recommend.note_all_seen" if all_had else "recommend.note_fewer"
        notes.append(Reason(key, (("n", n), ("k", k))))
    return notes
