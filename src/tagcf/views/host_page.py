"""The host report as one HTML file: both languages, no network."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from tagcf.live.hosts.answers import HostReport, SegmentReport, Show, Standing
from tagcf.live.hosts.measures import MEASURES, MeasureName
from tagcf.live.hosts.products import Product
from tagcf.text import LINES, Language, choose_language, say, visible
from tagcf.types import Tag
from tagcf.views.host_marks import draw_marks
from tagcf.views.host_timeline import NARROW, WIDE, draw_timeline, tone_of
from tagcf.views.host_words import (
    clock,
    comparison_text,
    measure_name,
    tag_names,
    value_text,
    verdict_names,
    why,
)
from tagcf.views.numbers import Scale, count, plain
from tagcf.views.page import page_environment, unbroken
from tagcf.views.picture import Column, Mark, Row, RowChart, Shape, Span, Table, Tone, domain_around

MARKED: tuple[MeasureName, ...] = ("watch", "interactions", "purchases")
SHAPES: dict[Tone, Shape] = {"raises": "up", "lowers": "down", "unclear": "ring"}


@dataclass(frozen=True, slots=True)
class Line:
    """One segment in the table."""

    start: str
    minutes: str
    about: str
    product: str
    viewers: str
    kept: str
    tone: Tone
    verdicts: str
    marks: tuple[Markup, ...]
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pictured:
    """One show: its heading, and the pictures for wide pages and phones."""

    heading: str
    pictures: Markup


@dataclass(frozen=True, slots=True)
class HostView:
    """All that the page shows, in one language."""

    language: Language
    host: str
    simulated: bool
    facts: tuple[tuple[str, str], ...]
    headline: str
    standing: RowChart | None
    shows: tuple[Pictured, ...]  # the latest first
    marked: tuple[str, ...]  # heads of the marks
    lines: tuple[Line, ...]
    numbers: Table


def render_host(
    report: HostReport,
    tags: Mapping[str, Tag],
    products: Mapping[str, Product],
    first: Language,
    *,
    simulated: bool,
) -> str:
    """Return the HTML of a host's report; `first` is the language that it opens in."""
    order: list[Language] = ["en", "zh"] if first == "en" else ["zh", "en"]
    build = partial(_one_page, report, tags, products, simulated=simulated)
    pages = [(language, copy_context().run(build, language)) for language in order]
    template = page_environment().get_template("report.html.j2")
    page = template.render(first=first, title=report.host, pages=pages, style="host.css")
    return visible(page, keep=LINES)


def _one_page(
    report: HostReport,
    tags: Mapping[str, Tag],
    products: Mapping[str, Product],
    language: Language,
    *,
    simulated: bool,
) -> Markup:
    choose_language(language)
    view = host_view(report, tags, products, language, simulated=simulated)
    body = page_environment().get_template("host.html.j2").render(view=view)
    return Markup(unbroken(body))  # noqa: S704 - autoescaped


def host_view(
    report: HostReport,
    tags: Mapping[str, Tag],
    products: Mapping[str, Product],
    language: Language,
    *,
    simulated: bool,
) -> HostView:
    """Gather what the page shows."""
    by_id = {one.segment_id: one for one in report.segments}
    shows = sorted(report.shows, key=lambda one: -one.start)
    hours = sum(one.end - one.start for one in report.segments) / 3600.0
    facts = (
        (say("live_hosts.fact_shows"), count(len(report.shows))),
        (say("live_hosts.column_segments"), count(len(report.segments))),
        (say("live_hosts.column_hours"), plain(hours, 1)),
        (say("live_hosts.fact_most"), count(_most(report))),
        (say("live_hosts.fact_hosts"), count(report.hosts - 1)),
    )
    return HostView(
        language,
        report.host,
        simulated,
        facts,
        headline(report),
        _standing(report.standing),
        tuple(_pictured(show, by_id, tags, products) for show in shows),
        tuple(measure_name(name) for name in MARKED),
        tuple(_line(one, tags, products) for one in reversed(report.segments)),
        _numbers(report, tags, products),
    )


def headline(report: HostReport) -> str:
    """Sum up the verdicts in a sentence."""

    def times(verdict: str) -> int:
        return sum(verdict in one.verdicts for one in report.segments)

    return say(
        "live_hosts.headline",
        n=len(report.segments),
        held=times("held"),
        lost=times("lost"),
        converted=times("converted"),
        sold_less=times("sold less"),
        unclear=times("usual") + times("cannot tell"),
    )


def _most(report: HostReport) -> float:
    return max((float(show.viewers.max(initial=0.0)) for show in report.shows), default=0.0)


def _standing(standing: tuple[Standing, ...]) -> RowChart | None:
    """Chart of the host against all peers, in per cent."""
    told = [one for one in standing if one.peers.ratio == one.peers.ratio]
    if not told:
        return None
    scale = Scale(points=False, decimals=0)
    rows = []
    for one in told:
        peers, good = one.peers, MEASURES[one.measure].good
        sign = {"more": good, "less": -good}.get(peers.side, 0)
        tone: Tone = "raises" if sign > 0 else "lowers" if sign < 0 else "unclear"
        low, middle, high = (100 * (end - 1) for end in (peers.low, peers.ratio, peers.high))
        value, usual = (value_text(one.measure, each) for each in (one.value, peers.usual))
        name = say("live_hosts.leaving_of_held") if one.measure == "held" else ""
        rows.append(
            Row(
                name=measure_name(one.measure),
                other=name,
                tone=tone,
                spans=(Span(low, high, "interval", tone),),
                marks=(Mark(middle, SHAPES[tone], tone),),
                texts=(value, usual, f"{scale.bare(middle)}% {scale.interval(low, high)}"),
            )
        )
    ends = [end for row in rows for span in row.spans for end in (span.low, span.high)]
    return RowChart(
        description=say("live_hosts.standing_aria", n=len(rows)),
        rows=tuple(rows),
        columns=(
            say("live_hosts.column_value"),
            say("live_hosts.column_like"),
            say("live_hosts.column_difference"),
        ),
        main_column=2,
        axis=say("live_hosts.axis_percent"),
        scale=scale,
        domain=domain_around([mark.at for row in rows for mark in row.marks], ends),
        zero=0.0,
        guides=(),
        legend=(),
    )


def _pictured(
    show: Show,
    by_id: Mapping[str, SegmentReport],
    tags: Mapping[str, Tag],
    products: Mapping[str, Product],
) -> Pictured:
    pictures = [draw_timeline(show, by_id, tags, products, size) for size in (WIDE, NARROW)]
    heading = say(
        "live_hosts.show_heading",
        start=clock(show.start),
        end=clock(show.end, date=False),
        room=show.room_id,
    )
    return Pictured(heading, Markup("").join(pictures))


def _line(one: SegmentReport, tags: Mapping[str, Tag], products: Mapping[str, Product]) -> Line:
    figures = {figure.measure: figure for figure in one.figures}
    product = products.get(one.product_id or "")
    title = product.title if product is not None else one.product_id or ""
    return Line(
        clock(one.start),
        plain((one.end - one.start) / 60.0, 0),
        tag_names(one.tags[:2], tags),
        title,
        count(one.viewers),
        f"{one.stayed}/{one.at_start}" if one.at_start else "–",
        tone_of(one),
        verdict_names(one.verdicts),
        tuple(draw_marks(figures.get(name)) for name in MARKED),
        why(one),
    )


def _numbers(report: HostReport, tags: Mapping[str, Tag], products: Mapping[str, Product]) -> Table:
    """All figures of all segments."""
    heads = (
        ("start", False), ("about", False), ("measure", False), ("value", True),
        ("like_own", True), ("own", True), ("like_peers", True), ("peers", True),
        ("compared", True),
    )  # fmt: skip
    rows = []
    for one in reversed(report.segments):
        product = products.get(one.product_id or "")
        title = f" · {product.title}" if product is not None else ""
        for figure in one.figures:
            peers = figure.peers
            n = f"{peers.segments}{'' if peers.alike else '*'}" if peers.segments else "–"
            rows.append(
                (
                    clock(one.start),
                    tag_names(one.tags[:1], tags) + title,
                    measure_name(figure.measure),
                    value_text(figure.measure, figure.value),
                    value_text(figure.measure, figure.own.usual),
                    comparison_text(figure.own),
                    value_text(figure.measure, peers.usual),
                    comparison_text(peers),
                    n,
                )
            )
    columns = tuple(Column(say(f"live_hosts.column_{key}"), numeric) for key, numeric in heads)
    return Table(say("live_hosts.numbers_caption"), columns, tuple(rows))
