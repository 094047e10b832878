"""A language model as tagger: closed tags, free names, and the beats of a work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.tag_items import Items, contents_of, read_items
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.tags.llm.account import Account
from tagcf.tags.llm.batch import Progress, Report
from tagcf.tags.llm.cover import CoveringSet
from tagcf.tags.llm_items import extract_names, tag_by_llm, tell_narratives
from tagcf.tags.llm_logic import ask_logic, logic_ends
from tagcf.tags.readings import Readings
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.text import language, say, visible
from tagcf.types import TagMatrix

T_co = TypeVar("T_co", covariant=True)

SHOWN = 20  # names or beats in a printed table


@dataclass(frozen=True, slots=True)
class FromLLM(Generic[T_co]):
    """What a language model gave, and what it cost."""

    told: T_co
    facts: dict[str, Any]


def llm_readings(workspace: Workspace, items: Items) -> FromLLM[Readings]:
    """Tag all items with the vocabulary and say what it cost."""
    contents = list(contents_of(workspace, items))
    with _reporting(len(contents)) as report:
        readings, asked = tag_by_llm(workspace, contents, tree_vocabulary(workspace), report)
    _tell_account(asked.account)
    return FromLLM(readings, asked.account.to_json() | {"output": str(asked.path)})


def extract(workspace: Workspace, as_json: bool) -> None:
    """Name topics and roles freely, reduce them, and print the sets that cover the items."""
    contents = list(contents_of(workspace, read_items(workspace)))
    with _reporting(len(contents)) as report:
        found = extract_names(workspace, contents, tree_vocabulary(workspace), language(), report)
    _tell_account(found.asked.account)
    sets = {"topics": found.topics, "roles": found.roles}
    if as_json:
        covers = {name: _cover_json(one) for name, one in sets.items()}
        echo_json(
            covers | {"account": found.asked.account.to_json(), "output": str(found.asked.path)}
        )
        return
    for name, one in sets.items():
        facts = {"distinct": one.distinct, "names": len(one.names), "items": one.items}
        tell(f"tags.cover_{name}", **facts, share=f"{one.coverage:.0%}")
        _print_cover(one)
    tell("tags.written", path=found.asked.path)


def llm_logic(workspace: Workspace, tags: TagMatrix, roles: TagMatrix) -> FromLLM[pl.DataFrame]:
    """Ask which topics and roles go together, and say what it cost."""
    ends = logic_ends(workspace, tags, roles)
    counts = {"topics": len(ends.topics), "roles": len(ends.roles), "questions": ends.questions}
    tell("tags.llm_logic_started", **counts)
    if ends.left_out:
        tell("tags.llm_logic_left_out", count=ends.left_out)
    with _reporting(ends.questions) as report:
        asked = ask_logic(workspace, ends, language(), report)
    _tell_account(asked.account, "tags.llm_logic_account")
    facts = asked.account.to_json() | {"edges": asked.table.height, "output": str(asked.path)}
    return FromLLM(asked.table, facts)


def narrative(workspace: Workspace, as_json: bool) -> None:
    """Name the beats of all works and print the first ones."""
    contents = list(contents_of(workspace, read_items(workspace)))
    vocabulary = tree_vocabulary(workspace)
    with _reporting(len(contents)) as report:
        asked = tell_narratives(workspace, contents, vocabulary, report)
    _tell_account(asked.account)
    if not asked.account.items:
        tell("tags.no_works")
    if as_json:
        beats = asked.table.to_dicts()
        echo_json({"beats": beats, "account": asked.account.to_json(), "output": str(asked.path)})
        return
    names = {tag.slug: tag.zh if language() == "zh" else tag.en for tag in vocabulary.tags}
    columns = ("item", "second", "emotion", "part", "reason")
    grid = Grid(*(say(f"tags.columns_{name}") for name in columns), box=None)
    for beat in asked.table.head(SHOWN).to_dicts():
        part = say(f"tags.part_{beat['part']}")
        emotion = names.get(beat["emotion"], beat["emotion"])
        cells = (beat["item_id"], f"{beat['start_s']:.1f}", emotion, part, beat["reason"] or "")
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)
    tell("tags.written", path=asked.path)


def _cover_json(found: CoveringSet) -> dict[str, Any]:
    rows = zip(found.names, found.members, found.counts, found.curve, strict=True)
    return {
        "distinct": found.distinct,
        "items": found.items,
        "coverage": round(found.coverage, 4),
        "names": [
            {"name": name, "members": list(members), "items": count, "covered": round(float(at), 4)}
            for name, members, count, at in rows
        ],
    }


def _print_cover(found: CoveringSet) -> None:
    grid = Grid(say("tags.columns_name"), say("tags.columns_members"), box=None)
    grid.add_column(say("tags.columns_items"), justify="right")
    grid.add_column(say("tags.columns_covered"), justify="right")
    rows = zip(found.names, found.members, found.counts, found.curve, strict=True)
    for name, members, count, at in list(rows)[:SHOWN]:
        others = ", ".join(members[1:6])
        grid.add_row(escape(visible(name)), escape(visible(others)), f"{count:,}", f"{at:.0%}")
    Console().print(grid)


def _tell_account(account: Account, key: str = "tags.llm_account") -> None:
    facts = account.to_json()
    cost = say("tags.unknown") if account.cost is None else f"{account.cost:.4f}"
    tokens = (
        say("tags.unknown") if account.untold else f"{account.tokens_in:,} + {account.tokens_out:,}"
    )
    shown = {
        name: facts[name] for name in ("items", "cached", "equal", "failed", "calls", "resent")
    }
    tell(key, **shown, tokens=tokens, cost=cost)


@contextmanager
def _reporting(total: int) -> Iterator[Report | None]:
    """Show how far a batch is, on stderr where it is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tagcf tag: llm", total=total)

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.done)

        yield report
