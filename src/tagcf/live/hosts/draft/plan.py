"""Order and length of the segments of the next show, and which product when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tagcf.live.hosts.answers import HostReport
from tagcf.live.hosts.draft.facts import Facts, subject_name
from tagcf.live.hosts.draft.themes import PeerTheme, Theme, find_themes, peer_themes
from tagcf.live.hosts.draft.words import Draft, Point, Purpose, Slot
from tagcf.live.hosts.platform import Platform
from tagcf.live.hosts.products import Product
from tagcf.live.hosts.questions import Asked
from tagcf.text import say
from tagcf.types import Tag

if TYPE_CHECKING:
    from tagcf.tags.llm.client import Client

TRIAL = 5.0  # minutes for a theme that worked for peers only
POINTS, TITLES = 3, 3
FEWEST_ASKED = 3  # people: fewer are no pattern
SHORTEST = 20.0  # minutes of a show


def draft_show(
    report: HostReport,
    *,
    platform: Platform | None = None,
    asked: Sequence[Asked] = (),
    products: Mapping[str, Product] | None = None,
    tags: Sequence[Tag] = (),
    minutes: float | None = None,
    client: Client | None = None,
) -> Draft:
    """Draft the next show from what worked for this host, and for peers.

    Themes that kept viewers open the show; products follow, the one that sold best first, each
    after a theme that holds where there is one. Nothing in it is a forecast: it repeats what
    worked, with the evidence beside it.

    Parameters
    ----------
    platform
        For themes that worked for peers and that the host has not shown.
    asked
        Questions of viewers, for the talking points.
    products, tags
        Names of products and tags.
    minutes
        Length; by default the median of the host's shows.
    client
        A language model words titles and talking points anew; sentences that say more than the
        facts are refused, and the template's stay.

    Raises
    ------
    ServerError
        A model was given and cannot be reached, or refuses the key.
    """
    facts = Facts({tag.slug: tag for tag in tags})
    length = minutes or show_minutes(report)
    themes = find_themes(report)
    peers = peer_themes(platform, report.host) if platform is not None else ()
    slots = [
        _slot(purpose, theme, facts, asked, products or {})
        for purpose, theme in order_themes(themes, peers, length)
    ]
    draft = Draft(report.host, length, _titles(slots, facts), timed(slots))
    if client is None:
        return draft
    from tagcf.live.hosts.draft.asked import reword

    return reword(draft, client, tuple((products or {}).values()))


def show_minutes(report: HostReport) -> float:
    """Median length of a host's shows; of the segments together where no show is known."""
    lengths = [(one.end - one.start) / 60.0 for one in report.shows]
    if not lengths and report.segments:
        lengths = [sum(one.end - one.start for one in report.segments) / 60.0]
    return max(SHORTEST, float(np.median(lengths))) if lengths else SHORTEST


def order_themes(
    themes: Sequence[Theme], peers: Sequence[PeerTheme], minutes: float
) -> list[tuple[Purpose, Theme | PeerTheme]]:
    """Alternate what holds and what sells until the time is filled; one trial in the middle."""
    holding = [one for one in themes if one.product_id is None and one.staying >= 0]
    selling = sorted(
        (one for one in themes if one.product_id is not None),
        key=lambda one: -(one.buying + 0.5 * one.staying),
    )
    rest = [one for one in themes if one.product_id is None and one.staying < 0]
    holding = holding or rest[:1] or list(themes[:1])
    order: list[tuple[Purpose, Theme | PeerTheme]] = []
    filled, shown, turn = 0.0, 0, 0
    tried = not peers
    while holding and filled < minutes - 1.0:
        if not tried and filled >= minutes / 2:
            order.append(("try", peers[0]))
            filled, tried = filled + TRIAL, True
            continue
        theme = holding[turn % len(holding)]
        if turn == 0 or len(holding) > 1 or not selling:
            order.append(("open" if turn == 0 else "hold", theme))
            filled += theme.minutes
        turn += 1
        if filled < minutes - 1.0 and selling:
            goods = selling[shown % len(selling)]
            shown += 1
            order.append(("sell", goods))
            filled += goods.minutes
    return order


def timed(slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Slots one after the other, from minute 0."""
    at, told = 0.0, []
    for slot in slots:
        told.append(replace(slot, start=at))
        at += slot.minutes
    return tuple(told)


def _slot(
    purpose: Purpose,
    theme: Theme | PeerTheme,
    facts: Facts,
    asked: Sequence[Asked],
    products: Mapping[str, Product],
) -> Slot:
    if isinstance(theme, PeerTheme):
        fact, name = facts.of_peers(theme), facts.tag_name(theme.tag)
        point = Point(say("live_hosts.point_try", tag=name), fact)
        nothing = float("nan")
        return Slot(0.0, TRIAL, purpose, theme.tag, name, None, "", nothing, (fact,), (point,))
    name, told = facts.tag_name(theme.tag), facts.of_theme(theme)
    product = products.get(theme.product_id or "")
    title = product.title if product is not None else theme.product_id or ""
    price = product.price if product is not None else float("nan")
    points = [_answer(one, facts) for one in _questions(theme, asked)]
    if np.isfinite(price):
        fact = facts.of_price(price)
        points.append(Point(say("live_hosts.point_price", product=title, price=f"{price:g}"), fact))
    if not points:
        key = "point_sell" if title else f"point_{'open' if purpose == 'open' else 'hold'}"
        points.append(Point(say(f"live_hosts.{key}", tag=name, product=title), told[0]))
    minutes = float(round(theme.minutes))
    return Slot(
        0.0, minutes, purpose, theme.tag, name, theme.product_id, title, price, told,
        tuple(points[:POINTS]),
    )  # fmt: skip


def _questions(theme: Theme, asked: Sequence[Asked]) -> list[Asked]:
    named = [
        one
        for one in asked
        if one.product_id == theme.product_id and one.people >= FEWEST_ASKED and one.subject
    ]
    return named[: POINTS - 1]


def _answer(one: Asked, facts: Facts) -> Point:
    kind = one.intent if one.intent in ("complaint", "request") else "question"
    text = say(f"live_hosts.point_{kind}", what=subject_name(one), people=one.people)
    return Point(text, facts.of_question(one))


def _titles(slots: Sequence[Slot], facts: Facts) -> tuple[Point, ...]:
    """Titles from the strongest themes and products, each with what speaks for it."""
    titles: list[Point] = []
    for slot in slots:
        if not slot.because or slot.purpose == "try":
            continue
        key = "title_product" if slot.product else "title_theme"
        text = say(f"live_hosts.{key}", tag=slot.tag_name, product=slot.product)
        if all(text != one.text for one in titles):
            titles.append(Point(text, slot.because[0]))
    return tuple(titles[:TITLES])
