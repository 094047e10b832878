"""Verdicts: which comparisons stand after the false discovery rate, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from tagcf.live.hosts.answers import Comparison, Figure, SegmentReport, Side, Verdict
from tagcf.live.hosts.measures import MEASURES


def judge(
    reports: Sequence[SegmentReport], level: float, margin: float
) -> tuple[SegmentReport, ...]:
    """Judge all comparisons of a report together (Benjamini and Hochberg 1995).

    A comparison counts among those tested where there was something to compare, whatever came of
    it. Benjamini and Yekutieli (2005): wrong directions are kept below the level as well.
    """
    every = [one for report in reports for f in report.figures for one in (f.own, f.peers)]
    tested = [one for one in every if np.isfinite(one.p)]
    q_of: dict[int, float] = {}
    if tested:
        found = stats.false_discovery_control([one.p for one in tested])
        q_of = {id(one): float(q) for one, q in zip(tested, found, strict=True)}
    judged: list[SegmentReport] = []
    for report in reports:
        figures = tuple(
            replace(
                figure,
                own=_judged(figure.own, q_of, level, margin),
                peers=_judged(figure.peers, q_of, level, margin),
            )
            for figure in report.figures
        )
        judged.append(replace(report, figures=figures, verdicts=verdicts_of(figures)))
    return tuple(judged)


def _judged(one: Comparison, q_of: dict[int, float], level: float, margin: float) -> Comparison:
    if id(one) not in q_of:
        return one
    q = q_of[id(one)]
    side: Side = "cannot tell"
    if q <= level:
        side = "more" if one.ratio > 1 else "less"
    elif one.low >= 1 / margin and one.high <= margin:
        side = "usual"
    return replace(one, q=q, side=side, lack="wide" if side == "cannot tell" else "")


def better(figure: Figure, one: Comparison) -> int:
    """1: better than what it is compared with, -1: worse, 0: neither or not known."""
    sign = {"more": 1, "less": -1}.get(one.side, 0)
    return sign * MEASURES[figure.measure].good


def verdicts_of(figures: Sequence[Figure]) -> tuple[Verdict, ...]:
    """Sum up the comparisons of a segment; a segment may both hold viewers and not sell."""
    signs = {
        (MEASURES[figure.measure].about, better(figure, one))
        for figure in figures
        for one in (figure.own, figure.peers)
    }
    told: list[Verdict] = []
    if ("staying", 1) in signs:
        told.append("held")
    if ("staying", -1) in signs:
        told.append("lost")
    if ("buying", 1) in signs:
        told.append("converted")
    if ("buying", -1) in signs:
        told.append("sold less")
    if told:
        return tuple(told)
    staying = [f for f in figures if MEASURES[f.measure].about == "staying"]
    usual = any(one.side == "usual" for f in staying for one in (f.own, f.peers))
    return ("usual",) if usual else ("cannot tell",)
