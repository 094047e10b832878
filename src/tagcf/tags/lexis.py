"""What the word matcher searches for: every form of every term, and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import polars as pl

from tagcf.tags.vocabulary import Vocabulary
from tagcf.tags.words import Words, shipped_words
from tagcf.types import Tag

AFFIX = 5  # letters from which a term counts at the beginning or end of a hashtag
BARRIER = "|"  # stands where no term crosses
_HAN = re.compile(r"[\u3400-\u9fff]")
# Tags with the words of their context, and the tag where no context is met.
Cases = tuple[tuple[tuple[str, list[str]], ...], str | None]


@dataclass(frozen=True, slots=True)
class Lexis:
    """What is searched for, and what it means."""

    patterns: list[str]  # in a text, longest first
    of_hashtags: list[str]
    terms: pl.DataFrame  # pattern, term, tag, kind, shared
    negators: list[str]
    breaks: list[str]  # end the reach of a negation
    idioms: list[str]
    of_senses: pl.DataFrame  # pattern, term
    senses: dict[str, Cases]  # by term


@cache
def lexis_of(vocabulary: Vocabulary) -> Lexis:
    """Every pattern of a vocabulary and of the words that ship with TagCF."""
    words = shipped_words()
    known = {tag.slug for tag in vocabulary.tags}
    senses: dict[str, Cases] = {}
    for one in words.senses:
        cases = tuple(
            (slug, [_beginning(word) for word in contexts])
            for slug, contexts in one.contexts
            if slug in known
        )
        if cases or one.otherwise in known:
            senses[one.term] = cases, one.otherwise if one.otherwise in known else None
    spoken = [(form, term) for term in senses for form in _spoken(term)]
    of_senses = pl.DataFrame(spoken, schema={"pattern": pl.String, "term": pl.String}, orient="row")
    terms = _terms(vocabulary, words).join(of_senses, on="pattern", how="anti")
    negators = [form for word in words.negators for form in _spoken(word, plural=False)]
    idioms = [form for word in words.idioms for form in _spoken(word)]
    breaks = [BARRIER, *(form for word in words.breaks for form in _spoken(word, plural=False))]
    silent = [*idioms, *(form for word in words.only_looks for form in _spoken(word))]
    hashtag = terms["pattern"].str.contains("#", literal=True)
    in_texts = terms["pattern"].filter(~hashtag)
    every = {*in_texts, *of_senses["pattern"], *negators, *silent, *breaks}
    return Lexis(
        patterns=_longest_first(every),
        of_hashtags=_longest_first(terms["pattern"].filter(hashtag)),
        terms=terms,
        negators=negators,
        breaks=breaks,
        idioms=idioms,
        of_senses=of_senses,
        senses=senses,
    )


def _longest_first(patterns: Iterable[str]) -> list[str]:
    return sorted(set(patterns), key=lambda pattern: (-len(pattern), pattern))


def _terms(vocabulary: Vocabulary, words: Words) -> pl.DataFrame:
    """Every pattern: pattern, term (plural and singular are one), tag, kind, shared."""
    likely, hints = dict(words.likely), dict(words.hints)
    named = [
        (term, tag.slug, kind)
        for tag in vocabulary.tags
        for term, kind in _terms_of(tag, likely.get(tag.slug, ()), hints.get(tag.slug, ()))
    ]
    frame = pl.DataFrame(named, schema=["term", "tag", "kind"], orient="row")
    plain = normalise(frame["term"]).str.strip_chars().to_list()
    forms = [
        _patterns(term, single=kind in ("word", "hint"))
        for term, kind in zip(plain, frame["kind"], strict=True)
    ]
    return (
        frame.with_columns(pl.Series("pattern", forms))
        .explode("pattern")
        .drop_nulls("pattern")
        .unique(["pattern", "tag"], keep="first", maintain_order=True)
        .with_columns(pl.len().over("pattern").alias("shared"))
        .select("pattern", "term", "tag", "kind", "shared")
    )


def _terms_of(tag: Tag, likely: tuple[str, ...], hints: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names first, so that a keyword that repeats a name counts as the name."""
    kinds: dict[str, str] = {}
    for words, kind in (
        ((tag.zh, tag.en, *tag.aliases), "name"),
        (tag.keywords, "keyword"),
        (likely, "word"),
        (hints, "hint"),
    ):
        for word in words:
            kinds.setdefault(word, kind)
    return list(kinds.items())


def _patterns(term: str, *, single: bool = False) -> list[str]:
    """Forms under which a normalised term is searched, in a text and within hashtags."""
    run = term.replace(" ", "")
    if not run:
        return []
    if _HAN.search(term):
        return [term, f"#{run}#"] if single or len(run) > 1 else []
    if not re.search(r"\w", term):  # emoji
        return [term]
    hashtags = [f"#{run}#"] if len(run) > 2 else []
    if len(run) >= AFFIX:
        hashtags += [f"#{run}", f"{run}#"]
    return [f" {form} " for form in plurals(term)] + hashtags


def _spoken(term: str, *, plural: bool = True) -> list[str]:
    """Forms of a term in the text alone."""
    plain = _plain(term)
    if _HAN.search(plain):
        return [plain]
    return [f" {form} " for form in (plurals(plain) if plural else [plain])]


def _beginning(word: str) -> str:
    """The form under which a context word, or the beginning of one, is looked for."""
    plain = _plain(word)
    return plain if _HAN.search(plain) else f" {plain}"


def _plain(term: str) -> str:
    return str(normalise(pl.Series([term])).str.strip_chars()[0])


def plurals(term: str) -> list[str]:
    """Return a lower-case English term and its regular plural."""
    if re.search(r"(s|x|z|ch|sh)$", term):
        return [term, f"{term}es"]
    if re.search(r"[^aeiou]y$", term):
        return [term, f"{term[:-1]}ies"]
    return [term, f"{term}s"]


def normalise(texts: pl.Series) -> pl.Series:
    """Bring texts into the form that terms are searched in.

    Full-width forms and capitals are folded; every English word or number stands between two
    spaces of its own, so that `` word `` finds whole words even side by side; punctuation
    and line breaks become a barrier that no term crosses. Emoji stay as they are.
    """
    return (
        texts.fill_null("")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"['’]s\b", "")
        .str.replace_all(r"['’]", "")
        .str.replace_all("\ufe0f", "", literal=True)
        .str.replace_all(r"([\p{Latin}\p{N}]+)", " $1 ")
        .str.replace_all(r"[ \t\-_/&]+", "  ")
        .str.replace_all(r"[^\p{L}\p{N}\p{Extended_Pictographic} ]+", BARRIER)
    )
