"""Tags in a user's own words: certain, or asked about with what may be meant.

A phrase counts as understood only if every word of it is a name, an alias or a keyword of a known
tag, or a word without content. Whatever is left over makes it unclear.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field

from tagcf.tags.vocabulary import names_of, search_tags
from tagcf.types import Tag

OFFERED = 4  # candidates of a question
_HAN = re.compile(r"[\u3400-\u9fff]")
# Words around a tag that say nothing of which it is.
_FILLERS = (
    "相关的", "相关", "方面的", "方面", "之类的", "之类", "这类", "那种", "这种", "类的",
    "题材", "的内容", "的视频", "的直播间", "的直播", "的东西", "的节目", "的话题", "的兴趣",
    "的记录", "内容", "视频", "东西", "话题", "一类", "类", "运势类", "这些", "那些", "这个",
    "那个", "所有", "一切", "任何", "一些", "一点", "有关", "关于", "与", "的", "了", "吧",
    "啊", "呢", "吗", "嘛", "哦", "呀", "点", "些",
)  # fmt: skip
_BY_LENGTH = sorted(_FILLERS, key=len, reverse=True)
_FILLER_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "any",
        "some",
        "of",
        "for",
        "about",
        "on",
        "in",
        "to",
        "and",
        "my",
        "this",
        "that",
        "these",
        "those",
        "all",
        "everything",
        "anything",
        "stuff",
        "things",
        "thing",
        "content",
        "contents",
        "video",
        "videos",
        "clip",
        "clips",
        "stream",
        "streams",
        "room",
        "rooms",
        "show",
        "shows",
        "post",
        "posts",
        "item",
        "items",
        "tag",
        "tags",
        "topic",
        "topics",
        "related",
        "kind",
        "kinds",
        "sort",
        "person",
        "fan",
        "history",
        "interest",
        "interests",
        "please",
        "too",
        "lately",
        "recently",
        "now",
        "again",
        "more",
    ]
)
_JOINS = re.compile(r"\s*(?:、|，|,|/|&|\+|和|跟|以及|还有|或者|或|\band\b|\bor\b|\bplus\b)\s*")
Meaning = Callable[[str], Sequence[str]]  # slugs that are near in meaning, for questions alone


def plain(text: str) -> str:
    """Case-folded text of full width and half width alike, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True, slots=True)
class Words:
    """What a phrase means: tags that are certain, and words that are not."""

    tags: tuple[str, ...] = ()
    unclear: tuple[tuple[str, tuple[str, ...]], ...] = ()  # word and candidates


@dataclass(slots=True)
class TagWords:
    """All words that mean tags, of the tags that are known."""

    tags: tuple[Tag, ...]
    meaning: Meaning | None = None
    terms: dict[str, frozenset[str]] = field(default_factory=dict)
    longest: int = 0
    joined: tuple[tuple[str, str], ...] = ()  # names that hold a joint, and slugs, longest first

    def __post_init__(self) -> None:
        """Index names before keywords: a name is never ambiguous with another tag's keyword."""
        strong: dict[str, set[str]] = {}
        weak: dict[str, set[str]] = {}
        for tag in self.tags:
            for name in names_of(tag):
                strong.setdefault(plain(name), set()).add(tag.slug)
                strong.setdefault(plain(name.replace("-", " ")), set()).add(tag.slug)
            for keyword in tag.keywords:
                weak.setdefault(plain(keyword), set()).add(tag.slug)
        for table in (strong, dict(_stems(strong)), weak, dict(_stems(weak))):
            for term, slugs in table.items():
                self.terms.setdefault(term, frozenset(slugs))
        self.longest = max(map(len, self.terms), default=0)
        with_joint = ((name, slugs) for name, slugs in strong.items() if _JOINS.search(name))
        self.joined = tuple(
            (name, min(slugs))
            for name, slugs in sorted(with_joint, key=lambda pair: -len(pair[0]))
            if len(slugs) == 1
        )

    def whole(self, text: str) -> str:
        """Put slugs in the place of names that hold a comma or an "and", which would part them."""
        for name, slug in self.joined:
            text = text.replace(name, slug)
        return text

    def read(self, phrase: str) -> Words:
        """Tags of a phrase."""
        whole = plain(phrase).strip(" .!?~。！？…\"'“”‘’「」《》#")
        exact = self._term(whole)
        if exact:
            return exact
        tags: dict[str, None] = {}
        unclear: list[tuple[str, tuple[str, ...]]] = []
        for piece in _JOINS.split(whole):
            found = self._piece(piece)
            tags |= dict.fromkeys(found.tags)
            unclear += found.unclear
        return Words(tuple(tags), tuple(unclear))

    def _piece(self, piece: str) -> Words:
        exact = self._term(piece)
        if exact:
            return exact
        bare = _without_fillers(piece, self.terms)
        if not bare:
            return Words()
        exact = self._term(bare) or self._only_name(bare)
        if exact:
            return exact
        cut = self._cut(bare)
        if cut is None:
            return Words((), ((bare, self.candidates(bare)),))
        return cut

    def _term(self, text: str) -> Words | None:
        slugs = self.terms.get(text) or self.terms.get(_stem(text))
        if slugs is None:
            return None
        if len(slugs) == 1:
            return Words(tuple(slugs))
        order = [tag.slug for tag in self.tags if tag.slug in slugs]
        return Words((), ((text, tuple(order[:OFFERED])),))

    def _only_name(self, text: str) -> Words | None:
        """Tag of the only name that a Chinese word begins: 政治 of 政治公共事务."""
        if len(text) < 2 or not _HAN.search(text):
            return None
        inside = {tag.slug for tag in self.tags if any(text in name for name in names_of(tag))}
        begins = {
            tag.slug for tag in self.tags if any(name.startswith(text) for name in names_of(tag))
        }
        return Words(tuple(begins)) if len(begins) == 1 and begins == inside else None

    def _cut(self, text: str) -> Words | None:
        """Cut a run of words into terms, the longest first; none where anything is left."""
        tags: dict[str, None] = {}
        unclear: list[tuple[str, tuple[str, ...]]] = []
        at = 0
        while at < len(text):
            end = min(len(text), at + self.longest)
            while end > at:
                word = text[at:end].strip()
                whole = _HAN.search(word) or _at_edges(text, at, end)
                found = self._term(word) if word and whole else None
                if found:
                    tags |= dict.fromkeys(found.tags)
                    unclear += found.unclear
                    break
                end -= 1
            if end == at:
                filler = _filler_at(text, at)
                if not filler:
                    return None
                end = at + filler
            at = end
        if len(tags) > 1 and not self._siblings(tags):  # 猫粮广告 is neither of both
            return Words((), ((text, tuple(tags)[:OFFERED]),))
        return Words(tuple(tags), tuple(unclear)) if tags or unclear else None

    def _siblings(self, slugs: Iterable[str]) -> bool:
        """Whether tags are of one parent, as in 猫猫狗狗."""
        parents = {tag.parent for tag in self.tags if tag.slug in set(slugs)}
        return len(parents) == 1 and None not in parents

    def candidates(self, word: str) -> tuple[str, ...]:
        """Tags that may be meant by a word, for a question to the user."""
        found = [tag.slug for tag in search_tags(word, self.tags, OFFERED)]
        if not found and _HAN.search(word) and len(word) > 1:
            found = self._overlapping(word)
        if not found and " " in word:
            parts = [part for part in word.split() if part not in _FILLER_WORDS]
            found = [
                tag.slug for part in parts for tag in search_tags(part, self.tags, OFFERED // 2)
            ]
        if not found and self.meaning is not None:
            found = [slug for slug in self.meaning(word) if any(t.slug == slug for t in self.tags)]
        return tuple(dict.fromkeys(found))[:OFFERED]

    def _overlapping(self, word: str) -> list[str]:
        """Tags one of whose Chinese names shares two letters with a word, most of them first."""
        pairs = {word[k : k + 2] for k in range(len(word) - 1)}
        scored = [
            (max(sum(pair in name for pair in pairs) for name in names_of(tag)), -k, tag.slug)
            for k, tag in enumerate(self.tags)
        ]
        return [slug for score, _, slug in sorted(scored, reverse=True)[:OFFERED] if score]


def _stems(terms: dict[str, set[str]]) -> Iterable[tuple[str, frozenset[str]]]:
    """Stems of Latin terms of one word, with all tags that share one."""
    stems: dict[str, set[str]] = {}
    for term, slugs in terms.items():
        if " " not in term and not _HAN.search(term):
            stems.setdefault(_stem(term), set()).update(slugs)
    return ((stem, frozenset(slugs)) for stem, slugs in stems.items())


def _stem(word: str) -> str:
    """Take a plural or -ing off the last word; left alone where little would be left."""
    if not word.isascii():
        return word
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending) + instead
            break
    if len(word) > 3 and word[-1] == word[-2]:
        return word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def _at_edges(text: str, start: int, end: int) -> bool:
    """Whether letters of Latin words begin and end with the word."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() and before.isascii()) and not (after.isalnum() and after.isascii())


def _filler_at(text: str, at: int) -> int:
    """Length of the word without content at a place; 0: there is none."""
    if text[at].isspace():
        return 1
    latin = re.compile(r"[a-z']+").match(text, at)
    if latin:
        return len(latin[0]) if latin[0] in _FILLER_WORDS else 0
    return max((len(filler) for filler in _FILLERS if text.startswith(filler, at)), default=0)


def _without_fillers(piece: str, terms: Container[str]) -> str:
    """Take words without content from both ends of a piece, up to a term."""
    before = None
    while piece != before and piece not in terms:
        before = piece
        piece = piece.strip(" .!?~。！？…\"'“”‘’「」《》#")
        if piece in _FILLERS:
            return ""
        for filler in _BY_LENGTH:
            if len(piece) > len(filler) and piece not in terms:
                piece = piece.removesuffix(filler).removeprefix(filler if len(filler) > 1 else "\0")
        words = piece.split(" ")
        while len(words) > 1 and words[0] in _FILLER_WORDS:
            words = words[1:]
        while len(words) > 1 and words[-1] in _FILLER_WORDS:
            words = words[:-1]
        piece = " ".join(words)
    return "" if piece in _FILLER_WORDS else piece
