"""The pictures of one doubted tag, and the tables that go with them."""

from __future__ import annotations

import numpy as np

from tagcf.doubts import Balance, Doubt, Overlap, Specification
from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.balance import control_label
from tagcf.views.doubt_checks import Names, agreement, coded
from tagcf.views.doubt_picture import Bars, Choice, Curve, CurvePoint
from tagcf.views.facts import OutcomeFacts
from tagcf.views.forest import axis_title
from tagcf.views.labels import effect_name
from tagcf.views.love_plot import Difference, love_plot
from tagcf.views.numbers import plain, share
from tagcf.views.picture import Column, Key, RowChart, Table, domain_around

BINS = 24
NEAR = 0.35  # of the range: zero this close beside it is drawn
KINDS = ("rows", "groups", "controls", "weights")  # of choices, as in `Specification`


def placebo_bars(doubt: Doubt, name: str) -> Bars:
    """Histogram of the permutations' statistics, with the real one."""
    draws = np.array(doubt.placebo_draws)
    reach = 1.08 * max(float(np.abs(draws).max(initial=0.0)), abs(doubt.placebo_t), 3.0)
    counts = np.histogram(draws, bins=BINS, range=(-reach, reach))[0]
    larger = int((np.abs(draws) >= abs(doubt.placebo_t)).sum())
    return Bars(
        title=say("doubt.placebo_title"),
        description=say(
            "doubt.placebo_aria", tag=name, larger=larger, n=draws.size, t=f"{doubt.placebo_t:.1f}"
        ),
        above=tuple(float(one) for one in counts),
        below=(),
        domain=(-reach, reach),
        axis=say("doubt.placebo_axis", n=draws.size),
        mark=(doubt.placebo_t, say("doubt.placebo_mark")),
        inside=None,
        legend=(),
    )


def overlap_bars(overlap: Overlap, name: str) -> Bars:
    """Scores of items with and without the tag, face to face."""
    return Bars(
        title=say("doubt.overlap_title"),
        description=say("doubt.overlap_aria", tag=name, off=share(overlap.off_support)),
        above=overlap.carriers,
        below=overlap.others,
        domain=(0.0, 1.0),
        axis=say("doubt.overlap_axis"),
        mark=None,
        inside=(overlap.cut, 1 - overlap.cut),
        legend=(
            Key("circle", "adjusted", say("doubt.carriers")),
            Key("circle", "unclear", say("doubt.others")),
        ),
    )


def alternative_texts(outcome: OutcomeFacts, overlap: Overlap) -> dict[str, str]:
    """Facts of the note below the overlap; none where an alternative is missing."""
    found: dict[str, str] = {
        one.name: f"{outcome.scale.bare(one.estimate)} "
        f"{outcome.scale.interval(one.ci_low, one.ci_high)}"
        for one in overlap.alternatives
    }
    if len(found) < 2:
        return {}
    return {"off": share(overlap.off_support), "cut": f"{overlap.cut:.2f}", **found}


def control_name(one: Balance, names: Names) -> str:
    """Name a control of the balance."""
    popular = one.control == "popularity"
    return say("doubt.popularity") if popular else control_label(one.control, names)


def balance_table(balance: tuple[Balance, ...], names: Names, tag: str) -> Table:
    """The numbers of the love plot."""
    heads = (("control", False), ("before", True), ("after", True))
    return Table(
        caption=say("doubt.table_balance", tag=tag),
        columns=tuple(Column(say(f"doubt.head_{key}"), numeric) for key, numeric in heads),
        rows=tuple(
            (control_name(one, names), plain(one.before, 3), plain(one.after, 3)) for one in balance
        ),
    )


def love_chart(balance: tuple[Balance, ...], names: Names, name: str) -> RowChart:
    """The love plot of one tag."""
    return love_plot(
        say("doubt.love_aria", tag=name),
        [
            Difference(control_name(one, names), "", abs(one.before), abs(one.after))
            for one in balance
        ],
        columns=(say("doubt.head_before"), say("doubt.head_after")),
        legend=(say("doubt.legend_before"), say("doubt.legend_joint")),
    )


def curve_of(
    outcome: OutcomeFacts, effect: Effect, found: tuple[Specification, ...], names: Names
) -> Curve:
    """The specification curve of one tag."""
    side = 1 if (effect.estimate or 0.0) > 0 else -1
    values = [sorted({getattr(one, kind) for one in found}, key=_order) for kind in KINDS]
    some = [at for at, of in enumerate(values) if len(of) > 1]
    points = tuple(
        CurvePoint(
            at=one.estimate,
            low=one.ci_low,
            high=one.ci_high,
            clear=(one.ci_low if side > 0 else -one.ci_high) > 0,
            choices=tuple(values[at].index(getattr(one, KINDS[at])) for at in some),
        )
        for one in found
    )
    ends = [end for one in found for end in (one.ci_low, one.ci_high)]
    domain, zero = _domain([one.estimate for one in found], ends)
    shares = agreement(effect, found) or (0.0, 0.0)
    return Curve(
        description=say(
            "doubt.curve_aria",
            tag=effect_name(effect).name,
            n=len(found),
            same=share(shares[0]),
        ),
        points=points,
        choices=tuple(
            Choice(
                say(f"doubt.kind_{KINDS[at]}"),
                tuple(_choice_name(KINDS[at], one, names) for one in values[at]),
            )
            for at in some
        ),
        main=effect.estimate or 0.0,
        axis=axis_title(outcome),
        scale=outcome.scale,
        domain=domain,
        zero=zero,
        legend=(
            Key("circle", "adjusted", say("doubt.legend_clear")),
            Key("circle", "unclear", say("doubt.legend_unclear")),
            Key(None, "unclear", say("doubt.legend_main"), stroke="gap"),
        ),
    )


def _domain(estimates: list[float], ends: list[float]) -> tuple[tuple[float, float], str]:
    """Fit the axis to the data; where zero is far outside, say on which side it is."""
    low, high = domain_around(estimates, ends, zero=False)
    room = NEAR * (high - low)
    if low - room > 0:
        return (low, high), say("doubt.zero_below")
    if high + room < 0:
        return (low, high), say("doubt.zero_above")
    return domain_around(estimates, ends), ""


_ORDER = (
    *("all", "random", "chosen", "none", "author", "stratum"),
    *("knots_5", "knots_3", "linear"),
    *("item_effects", "rows", "items", "trimmed"),
)


def _order(value: str) -> tuple[int, str]:
    return (_ORDER.index(value) if value in _ORDER else len(_ORDER), value)


def _choice_name(kind: str, value: str, names: Names, *, code: bool = False) -> str:
    """Name a choice; raw column names in backticks where the page can set them as code."""
    if value.startswith("without:"):
        name = coded if code else control_label
        return say("doubt.without", control=name(value.partition(":")[2], names))
    return say(f"doubt.{kind}_{value}")


def specifications_table(
    outcome: OutcomeFacts, found: tuple[Specification, ...], names: Names
) -> Table:
    """All specifications of one tag, with the choices in which they differ."""
    scale = outcome.scale
    kinds = [kind for kind in KINDS if len({getattr(one, kind) for one in found}) > 1]
    heads = [Column(say(f"doubt.kind_{kind}")) for kind in kinds]
    return Table(
        caption=say("doubt.table_specifications", outcome=outcome.label),
        columns=(
            Column(say("doubt.head_specification"), numeric=False),
            *heads,
            Column(say("report.estimate_ci"), numeric=True),
        ),
        rows=tuple(
            (
                str(at + 1),
                *(_choice_name(kind, getattr(one, kind), names, code=True) for kind in kinds),
                f"{scale.bare(one.estimate)} {scale.interval(one.ci_low, one.ci_high)}",
            )
            for at, one in enumerate(found)
        ),
    )
