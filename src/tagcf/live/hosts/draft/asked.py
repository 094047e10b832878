"""Titles and talking points worded by a language model; what it adds to the facts is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from tagcf.live.hosts.draft.claims import LONGEST, invented
from tagcf.live.hosts.draft.words import Draft, Fact, Point, Slot
from tagcf.live.hosts.products import Product
from tagcf.tags.llm.answer import Entry, list_schema, object_schema, read_entries
from tagcf.tags.llm.batch import ask_all
from tagcf.tags.llm.client import Client
from tagcf.tags.llm.plain import plain_line
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.text import language

PROMPT = "show-1"
TITLES, EACH = 3, 3
_LANGUAGES = {"zh": "Chinese", "en": "English"}

_INSTRUCTIONS = """\
The data holds the rundown of a live show and numbered facts. Write in {language}. titles: up to \
{titles} titles of the show. points: for slots, short sentences that the host can say. Each entry \
names in `fact` the number of the one fact that it rests on, and each point the `slot` it is for. \
Say nothing that is not in the facts and the slot: no other product or number, no price that is \
not given, no promise, praise, discount, stock or urgency. Spoken, friendly, under 40 words."""


class _Sentence(Entry):
    fact: int
    text: Annotated[str, Field(min_length=1, max_length=4 * LONGEST)]


class _PointSentence(_Sentence):
    slot: int


def reword(draft: Draft, client: Client, products: Sequence[Product]) -> Draft:
    """Return the draft with the sentences of a model that say no more than the facts.

    Where a slot gets none, the template's stay. A model's server that gives no usable answer leaves
    the draft as it is.
    """
    outcome = next(ask_all(client, [show_request(draft)]))
    if outcome.answer is None:
        return draft
    schema, text = _schema(draft), outcome.answer.text
    facts = {fact.number: fact for fact in draft.facts}
    names = [product.title for product in products]
    titles: list[Point] = []
    points: dict[int, list[Point]] = {}
    refused = 0
    for one in read_entries(text, schema, "titles", _Sentence):
        sentence = plain_line(one.text, 4 * LONGEST)
        if invented(sentence, f"{facts[one.fact].text}\n{_names(draft.slots)}", names):
            refused += 1
        else:
            titles.append(Point(sentence, facts[one.fact]))
    for entry in read_entries(text, schema, "points", _PointSentence):
        sentence, slot = plain_line(entry.text, 4 * LONGEST), draft.slots[entry.slot - 1]
        fact = facts[entry.fact]
        if fact not in _own(slot) or invented(sentence, _given(slot, fact), names):
            refused += 1
        else:
            points.setdefault(entry.slot, []).append(Point(sentence, fact))
    if not titles and not points:
        return replace(draft, refused=refused)
    slots = tuple(
        replace(slot, points=tuple(points[k][:EACH])) if k in points else slot
        for k, slot in enumerate(draft.slots, start=1)
    )
    told = tuple(titles[:TITLES]) or draft.titles
    model = client.server.model
    return replace(draft, titles=told, slots=slots, written_by=model, refused=refused)


def show_request(draft: Draft) -> Request:
    """Ask for words; the rundown and the facts are sent as data."""
    rundown = "\n".join(_line(slot, k) for k, slot in enumerate(draft.slots, start=1))
    facts = "\n".join(f"{fact.number}: {fact.text}" for fact in draft.facts)
    wanted = _INSTRUCTIONS.format(language=_LANGUAGES[language()], titles=TITLES)
    blocks = (Block("rundown", rundown), Block("facts", facts))
    limit = len(rundown) + len(facts) + 64
    return make_request(PROMPT, wanted, _schema(draft), blocks, limit=limit, divisible=False)


def _line(slot: Slot, number: int) -> str:
    price = f", {slot.price:g}" if slot.product and slot.price == slot.price else ""
    own = ", ".join(str(fact.number) for fact in _own(slot))
    goods = f"; {slot.product}{price}" if slot.product else ""
    return f"slot {number}: {slot.tag_name}{goods}; facts {own}"


def _own(slot: Slot) -> list[Fact]:
    return [*slot.because, *(point.because for point in slot.points)]


def _names(slots: Sequence[Slot]) -> str:
    return "\n".join(f"{slot.tag_name} {slot.product}" for slot in slots)


def _given(slot: Slot, fact: Fact) -> str:
    price = f"{slot.price:g}" if slot.price == slot.price else ""
    return f"{fact.text}\n{slot.tag_name}\n{slot.product}\n{price}"


def _schema(draft: Draft) -> dict[str, object]:
    numbers = [fact.number for fact in draft.facts]
    slots = range(1, len(draft.slots) + 1)
    return object_schema(
        titles=list_schema(_Sentence, TITLES, fact=numbers),
        points=list_schema(
            _PointSentence, EACH * max(len(draft.slots), 1), fact=numbers, slot=slots
        ),
    )
