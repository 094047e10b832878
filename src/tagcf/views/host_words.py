"""What a host reads: measures, verdicts, comparisons and hints in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tagcf.live.hosts.answers import Comparison, Figure, SegmentReport, Verdict
from tagcf.live.hosts.guide import Hint
from tagcf.live.hosts.measures import MEASURES, MeasureName
from tagcf.live.hosts.products import Product
from tagcf.live.hosts.verdicts import better
from tagcf.text import catalogue, language, say
from tagcf.types import Tag
from tagcf.views.numbers import plain, share

MOST_PERCENT = 10.0  # ratios from which on one digit is enough


def tag_names(slugs: Sequence[str], tags: Mapping[str, Tag]) -> str:
    """Names of tags in the language in force, listed."""
    return say("report.comma").join(_tag_name(slug, tags) for slug in slugs)


def _tag_name(slug: str, tags: Mapping[str, Tag]) -> str:
    tag = tags.get(slug)
    return slug if tag is None else ((tag.zh if language() == "zh" else tag.en) or slug)


def measure_name(name: MeasureName) -> str:
    """Name of a measure."""
    return say(f"live_hosts.measure_{name}")


def verdict_names(verdicts: Sequence[Verdict]) -> str:
    """Name the verdicts of a segment; better by one comparison and worse by another is mixed."""
    told = [verdict_name(one) for one in verdicts]
    for key, both in (("held", ("held", "lost")), ("sold", ("converted", "sold less"))):
        if set(both) <= set(verdicts):
            names = [verdict_name(one) for one in verdicts if one in both]
            told[told.index(names[0])] = say(f"live_hosts.mixed_{key}")
            told.remove(names[1])
    return say("report.comma").join(told)


def verdict_name(verdict: Verdict) -> str:
    """Name of a verdict on a segment."""
    return say(f"live_hosts.verdict_{verdict.replace(' ', '_')}")


def value_text(name: MeasureName, value: float) -> str:
    """Write a value of a measure."""
    if math.isnan(value):
        return "–"
    if name == "held":
        return share(value)
    if name in ("lost", "interactions"):
        return plain(value, 2)
    return plain(value, 0 if value >= 10 else 1)


def ratio_text(value: float) -> str:
    """Write a ratio with as many digits as it bears."""
    return plain(value, 2 if value < MOST_PERCENT else 1)


def comparison_text(one: Comparison) -> str:
    """``0.62 [0.48, 0.80]``, or why there is none."""
    if one.ratio != one.ratio:
        return say(f"live_hosts.lack_{one.lack}") if one.lack else "–"
    return f"{ratio_text(one.ratio)} [{ratio_text(one.low)}, {ratio_text(one.high)}]"


def why(report: SegmentReport, most: int = 2) -> tuple[str, ...]:
    """Comparisons that a segment's verdicts rest on, the surest first."""
    found = [
        (one.q, figure, one)
        for figure in report.figures
        for one in (figure.own, figure.peers)
        if better(figure, one) != 0 and MEASURES[figure.measure].about != "taking part"
    ]
    found.sort(key=lambda each: (each[0], each[1].measure, each[2].against))
    return tuple(why_one(figure, one) for _, figure, one in found[:most])


def why_one(figure: Figure, one: Comparison) -> str:
    """Write one comparison as a sentence."""
    return say(
        "live_hosts.why_held" if figure.measure == "held" else "live_hosts.why",
        measure=measure_name(figure.measure),
        value=value_text(figure.measure, figure.value),
        against=say(f"live_hosts.against_{one.against}"),
        usual=value_text(figure.measure, one.usual),
        ratio=ratio_text(one.ratio),
        low=ratio_text(one.low),
        high=ratio_text(one.high),
    )


def hint_text(hint: Hint, products: Mapping[str, Product] | None = None) -> str:
    """Write a hint as one sentence, with its numbers."""
    facts: dict[str, object] = {
        "count": plain(hint.count, 0),
        "window": hint.window,
        "before": plain(hint.before, 0),
        "usual": plain(hint.usual, 1),
    }
    if hint.kind == "falling":
        return say("live_hosts.say_falling", percent=plain(-100 * hint.change, 0), **facts)
    if hint.kind in ("buying", "arrivals", "leaving"):
        return say(f"live_hosts.say_{hint.kind}", **facts)
    key = f"live_hosts.subject_{hint.subject}"
    named = bool(hint.subject) and key in catalogue()
    facts["what"] = say(key) if named else _anything(hint)
    if hint.kind == "complaint":
        return say("live_hosts.say_complaint", **facts)
    kind = "request" if hint.kind == "request" else "ask"
    return say(f"live_hosts.say_{kind}", product=_product(hint, products or {}), **facts)


def _anything(hint: Hint) -> str:
    return say(f"live_hosts.any_{hint.kind}")


def _product(hint: Hint, products: Mapping[str, Product]) -> str:
    if hint.number > 0:
        return say("live_hosts.hint_number", number=hint.number)
    if hint.product_id is None:
        return ""
    product = products.get(hint.product_id)
    title = product.title if product is not None else hint.product_id
    return say("live_hosts.hint_product", product=title)


def clock(ts: float, *, date: bool = True) -> str:
    """Time of day in UTC, with month and day."""
    try:
        return datetime.fromtimestamp(ts, UTC).strftime("%m-%d %H:%M" if date else "%H:%M")
    except (OverflowError, OSError, ValueError):
        return f"{ts:.0f}"
