"""How alike carriers of each tag and the rest are, before and after adjustment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tagcf.doubts import POPULARITY, Balance
from tagcf.text import say
from tagcf.views.labels import TagName, tag_name
from tagcf.views.love_plot import LIMIT, Difference, love_plot
from tagcf.views.numbers import count, plain
from tagcf.views.picture import Column, RowChart, Table

MOST_ROWS = 24
MUCH_LEFT = 0.25  # share of the differences


@dataclass(frozen=True, slots=True)
class BalanceView:
    """Sentence, love plot of the worst control per tag, and its table."""

    sentence: str
    note: str
    chart: RowChart
    table: Table


@dataclass(frozen=True, slots=True)
class _Worst:
    """The controls of a tag that differ most, before and after (absolute differences)."""

    tag: str
    before: float
    before_control: str
    after: float
    after_control: str


def balance_view(
    balance: tuple[Balance, ...],
    names: Mapping[str, tuple[str, str]],
    claimed: frozenset[str],
) -> BalanceView | None:
    """Build the love plot; claimed tags come first, then the largest difference before."""
    if not balance:
        return None
    worst = _worst_by_tag(balance)
    worst.sort(key=lambda row: (row.tag not in claimed, -row.before))
    shown = sorted(worst[:MOST_ROWS], key=lambda row: -row.before)
    left = sum(abs(row.after) > LIMIT for row in balance)
    sentence = say(
        "report.balance",
        pairs=count(len(balance)),
        before=count(sum(abs(row.before) > LIMIT for row in balance)),
        after=count(left),
        tags=count(len(worst)),
    )
    if left > MUCH_LEFT * len(balance):
        sentence += say("report.space") + say("report.balance_warning")
    return BalanceView(
        sentence=sentence,
        note=say("report.balance_note", shown=len(shown), tags=len(worst)),
        chart=_chart(shown, names, sentence),
        table=_table(shown, names),
    )


def _worst_by_tag(balance: tuple[Balance, ...]) -> list[_Worst]:
    by_tag: dict[str, list[Balance]] = defaultdict(list)
    for row in balance:
        by_tag[row.tag].append(row)
    found = []
    for tag, rows in by_tag.items():
        before = max(rows, key=lambda row: abs(row.before))
        after = max(rows, key=lambda row: abs(row.after))
        found.append(
            _Worst(tag, abs(before.before), before.control, abs(after.after), after.control)
        )
    return found


def _name(tag: str, names: Mapping[str, tuple[str, str]]) -> TagName:
    return tag_name(*names.get(tag, (tag, tag)))


def control_label(control: str, names: Mapping[str, tuple[str, str]]) -> str:
    """Name a control: tags by their own name, columns as configured."""
    if control == POPULARITY:
        return say("report.control_popularity")
    slug = control.removeprefix("tag:")
    return _name(slug, names).name if slug in names else control


def _chart(shown: list[_Worst], names: Mapping[str, tuple[str, str]], sentence: str) -> RowChart:
    labels = [_name(row.tag, names) for row in shown]
    return love_plot(
        sentence,
        [
            Difference(label.name, label.other, row.before, row.after)
            for label, row in zip(labels, shown, strict=True)
        ],
        columns=(say("report.before"), say("report.after")),
        legend=(say("report.legend_before"), say("report.legend_after")),
    )


def _table(shown: list[_Worst], names: Mapping[str, tuple[str, str]]) -> Table:
    heads = (
        ("tag", False),
        ("before", True),
        ("control_before", False),
        ("after", True),
        ("control_after", False),
    )
    return Table(
        caption=say("report.table_balance"),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=tuple(
            (
                _name(row.tag, names).name,
                plain(row.before, 3),
                control_label(row.before_control, names),
                plain(row.after, 3),
                control_label(row.after_control, names),
            )
            for row in shown
        ),
    )
