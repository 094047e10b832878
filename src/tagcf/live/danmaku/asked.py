"""Reading lines by a language model on any OpenAI-compatible server, twenty to a question.

What it does not answer is read by words alone. A model's own certainty is not asked for: its
answers are weighed against the words with one share for all, which is judged, not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.live.danmaku.labels import HEADS, Chances
from tagcf.live.danmaku.lexicon import TextLanguage
from tagcf.live.danmaku.words import Words
from tagcf.tags.llm.answer import Entry, list_schema, object_schema, read_entries
from tagcf.tags.llm.batch import ask_all
from tagcf.tags.llm.client import Answer, Client
from tagcf.tags.llm.plain import plain_line
from tagcf.tags.llm.request import Block, Request, make_request

PROMPT = "danmaku-1"
LINES = 20  # of one question
LONGEST = 200  # letters of a line that are sent

_INSTRUCTIONS = """\
The data holds numbered comments that viewers typed in a live room where things are sold. Label \
each. intent: ask_price (price, discount, voucher, shipping cost), ask_link (where or how to buy, \
which number, in stock, when on sale), ask_detail (size, material, delivery time, authenticity, \
guarantee, use), will_buy (says they will), bought (says they have, or praises what they own), \
complaint (about product, service, stream, host), request (asks the host to do or show something), \
spam (adverts, follow for follow, contact details), none (anything else). sentiment: the \
speaker's towards what is going on; a plain question is neutral; irony counts as what is meant. \
emotion: the strongest one shown, or none."""


class _Label(Entry):
    number: int
    intent: str
    sentiment: str
    emotion: str


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Answers of a model, mixed with the chances of `Words`.

    Raises
    ------
    ServerError
        On use: the server cannot be reached, refuses the key, or has no such model.
    """

    client: Client
    share: float = 0.7  # of the model's answer; the rest is left to the words

    def chances(self, texts: pl.Series, lang: TextLanguage) -> tuple[Chances, Chances, Chances]:
        """Return chances of every label of every head."""
        heads = Words().chances(texts, lang)
        lines = texts.fill_null("").to_list()
        told = [(row, line) for row, line in enumerate(lines) if line.strip()]
        asked = [told[start : start + LINES] for start in range(0, len(told), LINES)]
        outcomes = ask_all(
            self.client, (line_request([line for _, line in part]) for part in asked)
        )
        for part, outcome in zip(asked, outcomes, strict=True):
            if outcome.answer is None:
                continue
            for place, labels in _labels(len(part), outcome.answer):
                for head, label in zip(heads, labels, strict=True):
                    row = part[place][0]
                    head[row] *= 1 - self.share
                    head[row, label] += self.share
        return heads


def line_request(lines: list[str]) -> Request:
    """Ask for the labels of lines, which are sent as data."""
    listed = "\n".join(f"{k}: {plain_line(line, LONGEST)}" for k, line in enumerate(lines, start=1))
    limit = len(lines) * (LONGEST + 8) + 8
    blocks = (Block("comments", listed),)
    return make_request(
        PROMPT, _INSTRUCTIONS, _schema(len(lines)), blocks, limit=limit, divisible=False
    )


def _labels(count: int, answer: Answer) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Place of a line in its question, and the positions of its labels; each line once."""
    seen = np.zeros(count, np.bool_)
    for entry in read_entries(answer.text, _schema(count), "labels", _Label):
        if not seen[entry.number - 1]:
            seen[entry.number - 1] = True
            named = (entry.intent, entry.sentiment, entry.emotion)
            places = tuple(head.index(label) for head, label in zip(HEADS, named, strict=True))
            yield entry.number - 1, places


def _schema(count: int) -> dict[str, object]:
    intents, sentiments, emotions = HEADS
    choices = {"intent": intents, "sentiment": sentiments, "emotion": emotions}
    return object_schema(labels=list_schema(_Label, count, number=range(1, count + 1), **choices))
