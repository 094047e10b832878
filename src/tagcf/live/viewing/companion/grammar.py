"""A small grammar of requests, zh and en: ``grammar.toml`` says what is recognised.

What it does not recognise is unknown, and a tag that is not certain is unclear: both are told to
the user, none is guessed.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

from tagcf.live.viewing.companion.spans import count_in, minutes_in, span_in
from tagcf.live.viewing.companion.tag_words import TagWords, plain
from tagcf.live.viewing.companion.wishes import KINDS, Kind, Unclear, Understood, Wish

LONGEST = 400  # letters of a request that are read
_ENDS = " .!?~。！？…、,，;；:："
_CLAUSES = re.compile(
    r"\s*(?:[,，;；。.!！]|\bbut\b|但是?|不过|然后"
    r"|\band (?=(?:more|less|fewer|no more|never|hide|block|mute|stop|show)\b))\s*"
)
_THIS = re.compile(
    r"(?:(?:like|of) )?(?:this|that|these|those|such)(?: (?:kind|sort|type)(?: of)?)?"
    r"(?: (?:one|stuff|thing|things|video|videos|room|content|clip|clips))?(?: again| any ?more)?"
    r"|(?:像)?(?:这|那)(?:个|种|类|样|些)?(?:的)?(?:内容|视频|直播间?|东西|节目|片段)?(?:的)?(?:了)?"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Patterns of one kind: of whole lines, of clauses with tags, and of lines that tell a time."""

    kind: str
    whole: tuple[re.Pattern[str], ...]
    tags: tuple[re.Pattern[str], ...]
    timed: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """The content of ``grammar.toml``."""

    rules: tuple[Rule, ...]
    rest: tuple[tuple[Kind, tuple[re.Pattern[str], ...]], ...]
    polite: tuple[re.Pattern[str], ...]
    yes: tuple[re.Pattern[str], ...]
    no: tuple[re.Pattern[str], ...]


@cache
def shipped_grammar() -> Grammar:
    """Return the grammar that ships with TagCF."""
    text = resources.files(__package__).joinpath("grammar.toml").read_text("utf-8")
    read: dict[str, Any] = tomllib.loads(text)
    rest = read["rest"]
    return Grammar(
        tuple(
            Rule(
                one["kind"],
                _patterns(one["whole"]),
                _patterns(one.get("tags", ())),
                _patterns(one.get("timed", ())),
            )
            for one in read["rule"]
        ),
        tuple((kind, _patterns(rest[kind])) for kind in ("more", "less", "never")),
        *(_patterns(rest[name]) for name in ("polite", "yes", "no")),
    )


def _patterns(written: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(one.replace("{t}", r"\s*(?P<t>.+?)\s*")) for one in written)


def understand(line: str, words: TagWords, now: float, zone: str = "UTC") -> Understood:
    """Read a line.

    Parameters
    ----------
    words
        Of the tags that there are.
    now
        Epoch seconds from which "yesterday" and the like are counted, in the time zone `zone`.

    Returns
    -------
    One request, or several about tags; one of the kind "unknown" where nothing was recognised.
    """
    grammar = shipped_grammar()
    text = _without_polite(words.whole(plain(line[:LONGEST])).strip(_ENDS), grammar)
    if not text:
        return (Wish("unknown"),)
    if says_yes(text):
        return (Wish("yes"),)
    if any(one.search(text) for one in grammar.no):
        return (Wish("no"),)
    for rule in grammar.rules:
        found = _whole(rule, text, words, now, zone)
        if found:
            return found
    return _by_clause(text, words, grammar) or (Wish("unknown"),)


def says_yes(text: str) -> bool:
    """Whether a line is a yes."""
    return any(one.search(plain(text)) for one in shipped_grammar().yes)


def _without_polite(text: str, grammar: Grammar) -> str:
    before = None
    while text != before:
        before = text
        for pattern in grammar.polite:
            text = pattern.sub(" ", text).strip(_ENDS)
    return " ".join(text.split())


def _whole(rule: Rule, text: str, words: TagWords, now: float, zone: str) -> Understood:
    """Read a whole line by a rule that is not of clauses."""
    matched = any(one.search(text) for one in rule.whole)
    minutes = minutes_in(text)
    if rule.kind == "forget_time":
        span = span_in(text, now, zone) if matched else None
        return (Wish("forget_time", since=span[0], until=span[1]),) if span else ()
    if rule.kind in ("why_tag", "again"):
        for one in rule.tags:
            found = one.search(text)
            if found:
                return _tagged(cast("Kind", rule.kind), found["t"], words)
        return ()
    if rule.kind == "next" and minutes and not matched:
        matched = any(one.search(text) for one in rule.timed)
    if not matched or rule.kind not in KINDS:
        return ()
    if rule.kind == "next":
        return (Wish(rule.kind, number=minutes),)
    return (Wish(rule.kind, number=count_in(text) if rule.kind == "likes" else None),)


def _by_clause(text: str, words: TagWords, grammar: Grammar) -> Understood:
    """Read requests about tags; a clause without tags is about those of the clause before."""
    wishes: list[Wish | Unclear] = []
    about: Understood = ()
    for clause in filter(None, _CLAUSES.split(text)):
        bare = _without_polite(clause, grammar)
        kind = next((k for k, ones in grammar.rest if any(one.search(bare) for one in ones)), None)
        if kind is not None:
            if all(one.kind != kind for one in about):
                wishes += [_of_kind(one, kind) for one in about]
            continue
        found = _clause(bare, words, grammar)
        about = found or about
        wishes += [one for one in found if one.kind != "unknown"]
    return tuple(dict.fromkeys(wishes))


def _clause(text: str, words: TagWords, grammar: Grammar) -> Understood:
    """Requests of one clause; of the kind "unknown" where it only mentions tags."""
    for rule in grammar.rules:
        if rule.kind in ("why_tag", "again"):
            continue
        for one in rule.tags:
            found = one.search(text)
            if found:
                kind = cast("Kind", "unknown" if rule.kind == "mention" else rule.kind)
                wishes = _tagged(kind, found["t"], words)
                if wishes:
                    return wishes
    return ()


def _tagged(kind: Kind, phrase: str, words: TagWords) -> Understood:
    if _THIS.fullmatch(phrase):
        return (Unclear(kind, phrase, (), this=True),)
    read = words.read(phrase)
    return (
        *(Wish(kind, tag) for tag in read.tags),
        *(Unclear(kind, word, candidates) for word, candidates in read.unclear),
    )


def _of_kind(one: Wish | Unclear, kind: Kind) -> Wish | Unclear:
    if isinstance(one, Wish):
        return Wish(kind, one.tag)
    return Unclear(kind, one.word, one.candidates)
