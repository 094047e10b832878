"""``tagcf live danmaku``: lines on stdin, one JSON object a line on stdout, in the same order."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import click

from tagcf.cli.options import lang_option
from tagcf.cli.talk import tell
from tagcf.errors import ServerError
from tagcf.live.danmaku.lexicon import TextLanguage
from tagcf.live.danmaku.meaning import Meaning
from tagcf.live.danmaku.read import DanmakuReader, read_danmaku
from tagcf.live.danmaku.words import Words
from tagcf.settings import load_settings
from tagcf.tags.embedding import embedding_installed
from tagcf.text import visible

CHUNK = 1 << 18  # bytes read at once; what is there is answered before more is waited for
LONGEST = 1 << 20  # bytes of a line
TOLD = 20  # broken lines that are named one by one

Using = Literal["auto", "words", "meaning", "llm"]


@click.command()
@click.option(
    "--text-lang",
    type=click.Choice(["auto", "zh", "en"]),
    default="auto",
    help="language of the lines; en: no abbreviated pinyin such as dsq, xswl",
)
@click.option(
    "--using",
    type=click.Choice(["auto", "words", "meaning", "llm"]),
    default="auto",
    help="words: lexicon and learned weights, fastest; meaning: with sentence embeddings too "
    "(extra text); auto: meaning where it is installed; llm: a language model, set in tagcf.toml",
)
@click.option(
    "--workspace",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="folder whose tagcf.toml names the language model; default: this one",
)
@lang_option
def danmaku(text_lang: TextLanguage, using: Using, folder: Path) -> None:
    """Read danmaku from stdin, a line each: sentiment, emotion, intent.

    Prints one JSON object a line, in the order of the lines: text, sentiment, emotion, intent,
    confidence (of the intent), sentiment_confidence, emotion_confidence.
    """
    hear_ctrl_c()
    broken = Broken()
    answered = 0
    with ExitStack() as open_until_done:
        reader = READERS[using](folder, open_until_done)
        try:
            for batch in batches(sys.stdin.buffer, broken):
                print_readings(batch, text_lang, reader)
                answered += len(batch)
        except ServerError:
            tell("live_danmaku.answered", count=answered, next=answered + 1)
            raise
        except BrokenPipeError:  # who reads the answers has enough of them
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    broken.tell_rest()


def hear_ctrl_c() -> None:
    """Let Ctrl-C end a wait for input: the handler that polars installs has it begun again."""
    if hasattr(signal, "siginterrupt"):  # not on Windows
        signal.siginterrupt(signal.SIGINT, True)


def _by_words(_folder: Path, _stack: ExitStack) -> DanmakuReader:
    return Words()


def _by_meaning(_folder: Path, _stack: ExitStack) -> DanmakuReader:
    return Meaning()


def _by_llm(folder: Path, stack: ExitStack) -> DanmakuReader:
    from tagcf.live.danmaku.asked import LanguageModel
    from tagcf.tags.llm.client import Client
    from tagcf.tags.llm.server import server_of

    server = server_of(load_settings(folder).llm)
    return LanguageModel(stack.enter_context(Client(server)))


READERS: dict[str, Callable[[Path, ExitStack], DanmakuReader]] = {
    "auto": _by_meaning if embedding_installed() else _by_words,
    "words": _by_words,
    "meaning": _by_meaning,
    "llm": _by_llm,
}


@dataclass
class Broken:
    """Counts lines that were not UTF-8 or too long; names the first ones on stderr."""

    count: int = field(default=0)

    def name(self, key: str, line: int) -> None:
        """Say what is wrong with a line; lines count from 1."""
        self.count += 1
        if self.count <= TOLD:
            tell(key, line=line)

    def tell_rest(self) -> None:
        """Say how many were not named."""
        if self.count > TOLD:
            tell("live_danmaku.more_broken", count=self.count - TOLD)


def batches(source: BinaryIO, broken: Broken) -> Iterator[list[str]]:
    """Yield whole lines as they come; the last may lack its line break. Memory is bounded."""
    number, rest, skipping = 0, b"", False
    read = getattr(source, "read1", source.read)
    while chunk := read(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        lines = []
        for line in whole:
            if skipping:  # the end of a line that is already answered
                skipping = False
                continue
            number += 1
            lines.append(_text(line, number, broken))
        if len(rest) > LONGEST:
            if not skipping:
                number += 1
                lines.append(_text(rest, number, broken))
            rest, skipping = b"", True
        if lines:
            yield lines
    if rest and not skipping:
        yield [_text(rest, number + 1, broken)]


def _text(line: bytes, number: int, broken: Broken) -> str:
    """Decode a line, without a byte order mark and the carriage return of Windows."""
    if len(line) > LONGEST:
        broken.name("live_danmaku.too_long", number)
        line = line[:LONGEST]
        while line and (line[-1] & 0xC0) == 0x80:  # no half letter at the cut
            line = line[:-1]
        line = line[:-1] if line and line[-1] >= 0xC0 else line
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    line = line.removesuffix(b"\r")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        broken.name("live_danmaku.not_utf8", number)
        return line.decode("utf-8", "replace")


def print_readings(lines: list[str], lang: TextLanguage, reader: DanmakuReader) -> None:
    """Print and flush a batch."""
    printed = []
    for text, one in zip(lines, read_danmaku(lines, lang, reader), strict=True):
        answer = {
            "text": text,
            "sentiment": one.sentiment,
            "emotion": one.emotion,
            "intent": one.intent,
            "confidence": round(one.confidence, 4),
            "sentiment_confidence": round(one.sentiment_confidence, 4),
            "emotion_confidence": round(one.emotion_confidence, 4),
        }
        printed.append(json.dumps(answer, ensure_ascii=False))
    # One JSON object a line whatever a text holds: letters that hide or reorder are escaped.
    click.echo("\n".join(visible(one, spelling="\\u{:04x}") for one in printed))
    sys.stdout.flush()
