"""Requests for the tests that kill the process which sends them."""

from __future__ import annotations

from tagcf.tags.llm.answer import object_schema
from tagcf.tags.llm.closed import closed_request
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.types import Tag

ITEMS = 1000


def requests() -> list[Request]:
    tags = [Tag("dogs", "狗狗", "Dogs", "topic"), Tag("cats", "猫咪", "Cats", "topic")]
    return [closed_request(f"第{k}号 camping dog", tags) for k in range(ITEMS)]


def small_requests() -> list[Request]:
    """A hundred that a random model answers in a few milliseconds."""
    words = {"type": "array", "maxItems": 2, "items": {"enum": ["a", "b"], "type": "string"}}
    schema = object_schema(tags=words)
    return [make_request("s-1", "Pick.", schema, [Block("n", f"{k}")]) for k in range(100)]


def logic_tags(topics: int, roles: int) -> tuple[tuple[Tag, ...], tuple[Tag, ...]]:
    """Topics and roles for questions about their logic."""
    return (
        tuple(Tag(f"topic-{k}", f"题材{k}", f"Topic {k}", "topic") for k in range(topics)),
        tuple(Tag(f"role-{k}", f"角色{k}", f"Role {k}", "role") for k in range(roles)),
    )
