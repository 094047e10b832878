"""What a server sent back for a chat completion: the text, its cost, and whether it was cut off."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tagcf.tags.llm.account import Usage
from tagcf.tags.llm.answer import ANSWER_LIMIT
from tagcf.tags.llm.failures import Refusal, Trouble, refusal_of
from tagcf.tags.llm.plain import plain_line
from tagcf.text import say

QUOTED = 120  # characters of an unusable answer that a message repeats


@dataclass(frozen=True, slots=True)
class Reply:
    """Text of the first choice."""

    text: str
    usage: Usage = field(default_factory=Usage)
    cut: bool = False  # the limit of tokens ended it, maybe while the model still thought

    def unusable(self) -> Refusal:
        """Say that it holds no object as asked for."""
        said = plain_line(self.text, QUOTED) or say("llm.empty_answer")
        return Refusal(Trouble.NO_JSON, say("llm.ran_out", said=said) if self.cut else said)


def reply_of(sent: Any) -> Reply | Refusal:
    """Read the JSON of an HTTP answer with status 200.

    Routers in front of several services answer 200 with an error inside. A model that only
    thought, or that refuses by the field ``refusal``, has said nothing of use, but has cost.
    """
    told = sent if isinstance(sent, dict) else {}
    if "choices" not in told and told.get("error"):
        code = told["error"].get("code") if isinstance(told["error"], dict) else None
        status = code if type(code) is int and 400 <= code <= 599 else 500
        return refusal_of(status, json.dumps(told, ensure_ascii=False))
    try:
        choice = told["choices"][0]
        message = choice["message"]
        said = message.get("content") or message.get("refusal") or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        return Refusal(Trouble.NO_JSON, plain_line(json.dumps(sent)[:1000], QUOTED))
    text = _in_one(said)[:ANSWER_LIMIT]
    return Reply(text, Usage.of_server(told.get("usage")), choice.get("finish_reason") == "length")


def _in_one(said: Any) -> str:
    """Some servers give a text in parts."""
    if isinstance(said, list):
        parts = [part.get("text") for part in said if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return said if isinstance(said, str) else ""
