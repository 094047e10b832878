"""Drafts worded by a model: what goes beyond the facts is refused, whatever a server says."""

from __future__ import annotations

import json
from collections.abc import Callable

from llm_servers import Answerer, Scripted, completion

from tagcf.live.hosts.draft.asked import reword
from tagcf.live.hosts.draft.claims import invented
from tagcf.live.hosts.draft.words import Draft, Fact, Point, Slot
from tagcf.live.hosts.products import Product
from tagcf.tags.llm.client import Client

HELD = Fact(1, "of 17 segments about camping, 5 held viewers better than usual")
ASKED = Fact(2, "14 viewers asked about size")
PRODUCTS = (Product("p1", "folding chair", 59.9), Product("p2", "camp stove", 120.0))
NOTHING = float("nan")


def made_up() -> Draft:
    template = Point("Answer before they ask: size", ASKED)
    slots = (
        Slot(0, 8, "open", "camping", "camping", None, "", NOTHING, (HELD,), ()),
        Slot(8, 6, "sell", "camping", "camping", "p1", "folding chair", 59.9, (HELD,), (template,)),
    )
    return Draft("h1", 14, (Point("An evening of camping", HELD),), slots)


def test_a_real_server_breaks_nothing(llama: str, connect: Callable[..., Client]) -> None:
    draft = made_up()
    told = reword(draft, connect(llama, retries=1, max_tokens=200), PRODUCTS)
    assert [slot.product_id for slot in told.slots] == [None, "p1"]
    for slot in told.slots:
        for point in slot.points:
            given = f"{point.because.text}\n{slot.tag_name}\n{slot.product}\n{slot.price:g}"
            assert point in draft.slots[1].points or not invented(
                point.text, given, [one.title for one in PRODUCTS]
            )


def test_only_what_the_facts_say_is_let_through(
    scripted: Callable[[Answerer], Scripted], connect: Callable[..., Client]
) -> None:
    answer = {
        "titles": [
            {"fact": 1, "text": "Camping, the way you liked it"},
            {"fact": 1, "text": "The best camping show"},
        ],
        "points": [
            {"fact": 2, "slot": 2, "text": "14 of you asked about size, so here it is"},
            {"fact": 2, "slot": 2, "text": "Only 3 chairs are left"},
            {"fact": 2, "slot": 2, "text": "This chair costs 49.9 tonight"},
            {"fact": 2, "slot": 2, "text": "Look at the camp stove as well"},
            {"fact": 2, "slot": 1, "text": "A fact of another slot"},
            {"fact": 2, "slot": 2, "text": "Find it on www.example.com"},
        ],
    }
    server = scripted(lambda _body, _number: completion(json.dumps(answer)))
    told = reword(made_up(), connect(server.address), PRODUCTS)
    assert [one.text for one in told.titles] == ["Camping, the way you liked it"]
    assert [one.text for one in told.slots[1].points] == [
        "14 of you asked about size, so here it is"
    ]
    assert told.refused == 6
    assert told.written_by == "tiny"
    assert told.slots[0] == made_up().slots[0]


def test_without_a_usable_sentence_the_template_stays(
    scripted: Callable[[Answerer], Scripted], connect: Callable[..., Client]
) -> None:
    answer = {"titles": [{"fact": 1, "text": "The number one show, guaranteed"}], "points": []}
    server = scripted(lambda _body, _number: completion(json.dumps(answer)))
    told = reword(made_up(), connect(server.address), PRODUCTS)
    assert told.titles == made_up().titles
    assert told.written_by == "template"
    assert told.refused == 1


def test_what_is_invented_is_named() -> None:
    given = "有 14 位观众提到尺码\n露营\n折叠椅\n59.9"
    assert not invented("有 14 位观众问尺码，先把尺码讲清楚", given, ["炉头"])
    assert not invented("折叠椅 59.9 元，慢慢看", given, ["炉头"])
    assert invented("折叠椅今天包邮", given, ["炉头"]) == "包邮"
    assert invented("全场五折", given, [])
    assert invented("折叠椅 39.9 元", given, ["炉头"]) == "39.9"
    assert invented("再看看炉头怎么用", given, ["炉头"]) == "炉头"
    assert invented("加微信了解", given, [])
