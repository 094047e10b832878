"""The effects as a table: first what can be told, then what cannot, grouped by why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import click

from tagcf.cli.effect_cells import (
    Wording,
    change,
    interval,
    print_table,
    q_cell,
    verdict_cell,
)
from tagcf.effects.estimates import CLAIMS
from tagcf.text import listing, say
from tagcf.types import Effect, TagEffects
from tagcf.views.labels import tag_name
from tagcf.views.numbers import Scale
from tagcf.views.reasons import because

COLUMNS = ("tag", "outcome", "segment", "estimate", "interval", "q", "items", "verdict")
MOST_ROWS = 6  # refusals that are still listed one by one
MOST_NAMES = 8  # tags named of a group


def print_effects(
    shown: Sequence[Effect], found: TagEffects, wording: Wording, *, every: bool
) -> None:
    """Print effects, and at the end which setting decides where none can be told.

    Parameters
    ----------
    shown
        What was asked for, out of `found`.
    every
        List each effect that cannot be told with its reason, however many they are.
    """
    if not shown:
        print_table(COLUMNS, [], set())
        click.echo(say("effects.none_of_this_kind"))
        return
    withdrawn = {(one.tag, one.outcome) for one in found.doubts if one.stopped_by is not None}
    refused = [one for one in shown if _is_refused(one, withdrawn)]
    grouped = [] if every or len(refused) <= MOST_ROWS else refused
    listed = [one for one in shown if not grouped or not _is_refused(one, withdrawn)]
    if listed:
        print_table(COLUMNS, _rows(listed, wording), {"estimate", "q", "items"})
    if grouped:
        click.echo("\n".join(_groups(grouped)))
    if all(effect.verdict == "cannot tell" for effect in shown):
        click.echo(_nothing_told(shown))


def _is_refused(effect: Effect, withdrawn: Collection[tuple[str, str]]) -> bool:
    """Whether it cannot be told; a claim that was withdrawn still has its numbers to show."""
    own = effect.segment is None and (effect.tag, effect.outcome) in withdrawn
    return effect.verdict == "cannot tell" and not own


def _rows(effects: Sequence[Effect], wording: Wording) -> list[list[str]]:
    bounds: dict[str, list[tuple[float | None, float | None]]] = {}
    for effect in [one for one in effects if one.verdict != "cannot tell"] or effects:
        bounds.setdefault(effect.outcome, []).append((effect.ci_low, effect.ci_high))
    return [
        _cells(effect, wording.scale(effect.outcome, bounds.get(effect.outcome, ())))
        for effect in sorted(effects, key=_order)
    ]


def _groups(refused: Sequence[Effect]) -> list[str]:
    """Say how many effects cannot be told; a line for each kind of reason, commonest first."""
    kinds: dict[tuple[str, str], dict[str, Effect]] = {}  # by audience and reason: tags
    for effect in refused:
        key = (effect.segment or "", effect.reason.key if effect.reason else "")
        kinds.setdefault(key, {}).setdefault(effect.tag, effect)
    tags = len({effect.tag for effect in refused})
    lines = [say("effects.untold", n=len(refused), tags=tags)]
    for (segment, _), of_kind in sorted(kinds.items(), key=lambda one: (one[0][0], -len(one[1]))):
        facts = {"because": because(of_kind.values()), "names": _names(of_kind.values())}
        if segment:
            lines.append(say("effects.untold_group_in", segment=segment, **facts))
        else:
            lines.append(say("effects.untold_group", **facts))
    return lines


def _names(effects: Collection[Effect]) -> str:
    names = [tag_name(one.tag_zh, one.tag_en).name for one in effects]
    more = len(names) - MOST_NAMES
    told = listing(names[:MOST_NAMES])
    return say("effects.untold_more", names=told, more=more) if more > 0 else told


def _nothing_told(shown: Sequence[Effect]) -> str:
    reasons = [effect.reason for effect in shown if effect.reason is not None]
    few = [one for one in reasons if one.key in {"reason.few_items", "reason.few_without"}]
    if 2 * len(few) >= len(shown):
        facts = {"n": len(shown), "few": len(few), "need": dict(few[0].facts)["need"]}
        return say("effects.nothing_told_items", **facts)
    why = Counter(str(reason) for reason in reasons).most_common(1)
    return say("effects.nothing_told", n=len(shown), why=why[0][0] if why else "")


def _order(effect: Effect) -> tuple[bool, str, str, bool, float]:
    """What can be told comes first, of every outcome; claims before the rest, large ones first."""
    untold, unclaimed = effect.verdict == "cannot tell", effect.verdict not in CLAIMS
    size = -abs(effect.estimate or 0.0)
    return untold, effect.outcome, effect.segment or "", unclaimed, size


def _cells(effect: Effect, scale: Scale) -> list[str]:
    return [
        tag_name(effect.tag_zh, effect.tag_en).name,
        effect.outcome,
        effect.segment or "",
        change(scale, effect.estimate),
        interval(scale, effect.ci_low, effect.ci_high),
        q_cell(effect.q),
        str(effect.n_treated_items),
        verdict_cell(effect.verdict, effect.reason),
    ]
