"""A language model beside the grammar: it may read a line, and put an answer more nicely.

Whatever it is talked into, by a line or by a name that a platform gave, it can only bring about
requests of known kinds and tags, and those that change something are asked about before they are
done. An answer is put before it with numbered gaps instead of facts, and only an answer that has
the same gaps in the same order, and names, counts, denies and promises nothing, is filled and said;
else the template is. What was changed is always said by the template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated

from pydantic import Field

from tagcf.errors import RefusedError
from tagcf.live.viewing.companion.tag_words import plain
from tagcf.live.viewing.companion.wishes import OF_TAGS, Kind, Wish
from tagcf.tags.llm.answer import Entry, list_schema, object_schema, read_entries
from tagcf.tags.llm.client import Client
from tagcf.tags.llm.plain import plain_line
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.tags.vocabulary import names_of
from tagcf.text import Language
from tagcf.types import Tag

READ_PROMPT, REPHRASE_PROMPT = "companion-read-1", "companion-rephrase-2"
MOST = 3  # requests of one line
LONGEST = 300  # letters of a line that are sent
MINUTES = 600
# What may be read by a model: spans of time and answers to questions are left to the grammar.
READ: tuple[Kind, ...] = (
    "likes", "why_tag", "why_content", "more", "less", "never", "again", "forget_tag",
    "start_over", "missed", "about", "next", "undo", "said", "help", "unknown",
)  # fmt: skip
NO_TAG = "none"

_READ = """\
A viewer of live rooms writes to a companion. Say which of its few requests the line makes; \
unknown if it makes none. likes: what do I like. why_tag: why is this tag among my interests. \
why_content: why is this room or video shown. more, less, never, again (take back never), \
forget_tag: of one tag. start_over: forget everything. missed: highlights of the room. about: what \
is on now. next: what to watch, minutes if a time is told, else 0. undo. said: what have I told \
you. help. tag: a slug of the list, none where the request is of no tag or none fits.
Tags, one a line, as slug: Chinese name / English name:
{tags}"""
_REPHRASE = """\
Rewrite the answer of a viewing companion so that it reads friendly and natural, in {language}, \
at most {limit} characters, in no more sentences. Gaps in braces stand for facts: keep each \
exactly once and in the same order. Add no fact, number, name, link, negation or promise."""

_GAP = re.compile(r"\{\d+\}")
_END = re.compile(r"[.!?](?=\s|$)|[。！？…]+")
# What turns a sentence round, or says what no answer of ours says.
_TURNED = re.compile(
    r"\b(?:no|not|never|none|nothing|nobody|without|cannot|hardly|neither|nor|instead|except|un\w+|"
    r"free|discount\w*|cheap\w*|sale|price\w*|buy|order|pay\w*|win|gift\w*|guarantee\w*|promise\w*|"
    r"today|tomorrow|hurry|click|password|code|mute\w*|block\w*|delet\w*|remov\w*|reset|forg\w+|"
    r"more|less|fewer|increas\w*|decreas\w*|always|must|"
    r"dis\w+|hat\w+|avoid\w*|stop\w*|quit\w*|end(?:ed|s)?|reject\w*|refus\w*|ignor\w*|"
    r"former\w*|used to|lost|los(?:e|ing)|fail\w*|wrong|false\w*|far from|bor(?:ed|ing)|rarely|"
    r"seldom|barely|refund\w*|money|cash|offer\w*|coupon\w*|dollar\w*|yuan|add|contact\w*|"
    r"whats\s?app|wechat|telegram|line id|qq|dot)\b|n['’]t\b|"
    r"[不没沒無无未别別非勿莫弗]|讨厌|討厭|厌|恨|拒|反感|停|戒|告别|抛弃|放弃|难以|很难|曾经|假|错|"
    r"微信|加我|私信|群|扫码|二维码|退款|退钱|返现|红包|客服|电话|网址|网站|免费|优惠|折扣|打折|便宜|价格|下单|购买|买|付款|中奖|送|保证|承诺|今天|明天|"
    r"赶快|赶紧|点击|密码|验证码|屏蔽|删|忘|清空|多|少|增加|减少|一定|必须"
)
_HAN_NUMBER = re.compile(
    r"[零一二两三四五六七八九十百千万亿半几数双]+"
    r"(?:个|次|回|遍|趟|分|秒|小?时|段|条|倍|成|点|天|日|周|月|年|块|元|折|位|人|种|场|名)"
)
_WORD_NUMBER = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|dozens?|twenty|"
    r"thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|half|"
    r"quarter|double\w*|triple\w*|twice|thrice|once|first|second|third|fourth|fifth|percent|"
    r"several|many|few|most|all|every)\b"
)
_LINK = re.compile(r"https?:|www\.|\w[.．。]\s?[a-z]{2,}/|[a-z0-9][.．][a-z]{2,}\b|@|#|<|>|```")
_HAN = re.compile(r"[\u3400-\u9fff]")


class _Asked(Entry):
    kind: str
    tag: str
    minutes: Annotated[int, Field(ge=0, le=MINUTES)]


class _Answer(Entry):
    text: str


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Reads lines and rephrases answers on any OpenAI-compatible server.

    A server that gives no usable answer leaves everything to grammar and template.

    Raises
    ------
    ServerError
        On use: the server cannot be reached, refuses the key, or has no such model.
    """

    client: Client
    rephrases: bool = True

    def read(self, text: str, tags: Sequence[Tag]) -> tuple[Wish, ...]:
        """Requests of a line, of known kinds and tags alone; none where it brings nothing."""
        request = read_request(text, tags)
        try:
            answer = self.client.ask(request)
        except RefusedError:
            return ()
        slugs = {tag.slug for tag in tags}
        wishes = [
            wish
            for entry in read_entries(answer.text, request.schema, "requests", _Asked)
            if (wish := _wish(entry, slugs)) is not None
        ]
        return tuple(dict.fromkeys(wishes))

    def rephrase(
        self, sentences: Sequence[str], tags: Sequence[Tag], spoken: Language
    ) -> Sequence[str]:
        """Return sentences with the same gaps that say the same; those that may be, from the first.

        The rest are left in their words, as are all where nothing faithful comes.
        """
        own = list(takewhile(may_rephrase, sentences)) if self.rephrases else []
        if not own:
            return sentences
        template = ("" if spoken == "zh" else " ").join(own)
        request = rephrase_request(template, spoken)
        try:
            answer = self.client.ask(request)
        except RefusedError:
            return sentences
        for entry in read_entries(answer.text, request.schema, "answers", _Answer):
            said = plain_line(entry.text, 4 * len(template) + 80)
            if faithful(said, template, tags):
                return [said, *sentences[len(own) :]]
        return sentences


def read_request(text: str, tags: Sequence[Tag]) -> Request:
    """Ask which requests a line makes; the line is sent as data."""
    listed = "\n".join(f"{tag.slug}: {tag.zh} / {tag.en}" for tag in tags)
    kinds, slugs = list(READ), [tag.slug for tag in tags]
    schema = object_schema(requests=list_schema(_Asked, MOST, kind=kinds, tag=[*slugs, NO_TAG]))
    blocks = (Block("line of the viewer", plain_line(text, LONGEST)),)
    return make_request(
        READ_PROMPT, _READ.format(tags=listed), schema, blocks, limit=LONGEST + 8, divisible=False
    )


def rephrase_request(text: str, spoken: Language) -> Request:
    """Ask for an answer in other words."""
    instructions = _REPHRASE.format(
        language="Chinese" if spoken == "zh" else "English", limit=_limit(text)
    )
    schema = object_schema(answers=list_schema(_Answer, 1))
    blocks = (Block("answer", text),)
    return make_request(
        REPHRASE_PROMPT, instructions, schema, blocks, limit=len(text) + 8, divisible=False
    )


def may_rephrase(template: str) -> bool:
    """Whether a template counts, denies and promises nothing outside of its gaps."""
    words = plain(_GAP.sub(" ", template))
    counts = re.search(r"\d", words) or _HAN_NUMBER.search(words) or _WORD_NUMBER.search(words)
    return not (counts or _TURNED.search(words))


def faithful(said: str, template: str, tags: Sequence[Tag]) -> bool:
    """Whether a text has the gaps of a template in their order, and adds nothing that is known.

    It may have no digits, number words and tags of its own, no links, none of the words known to
    turn a sentence round, to sell or to promise, and no more sentences. Such a list is never
    complete: it bounds what a model that was talked into something can say, and facts stay in the
    gaps, but a turn of phrase that it does not know passes.
    """
    if not said or len(said) > _limit(template) or _GAP.findall(said) != _GAP.findall(template):
        return False
    own, told = _GAP.sub(" ", said), _GAP.sub(" ", template)
    if (_HAN.search(own) is None) != (_HAN.search(told) is None):
        return False
    if len(_END.findall(said)) > max(1, len(_END.findall(template))):
        return False
    low, before = plain(own), plain(told)
    if re.search(r"[\d{}]", own) or _LINK.search(own) or _TURNED.search(low):
        return False
    for pattern in (_HAN_NUMBER, _WORD_NUMBER):
        if set(pattern.findall(low)) - set(pattern.findall(before)):
            return False
    return not any(
        _named(name, low) and not _named(name, before)
        for tag in tags
        for name in (*names_of(tag), plain(tag.zh), plain(tag.en))
        if len(name) > 1
    )


def _limit(text: str) -> int:
    return int(1.5 * len(text)) + 40


def _named(name: str, text: str) -> bool:
    """Whether a name stands in a text, Latin ones as whole words."""
    if _HAN.search(name):
        return name in text
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text) is not None


def _wish(entry: _Asked, slugs: set[str]) -> Wish | None:
    """Request of an entry that keeps to what there is."""
    kind = next((one for one in READ if one == entry.kind), None)
    if kind is None or kind == "unknown":
        return None
    if kind in OF_TAGS:
        return Wish(kind, entry.tag) if entry.tag in slugs else None
    minutes = float(entry.minutes) if kind == "next" and entry.minutes > 0 else None
    return Wish(kind, number=minutes)
