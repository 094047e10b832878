"""What people write: intents and moods first, then words with their noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.data.simulate.live.behaviour import Acts, desire
from tagcf.data.simulate.live.bursts import INTERACTIONS
from tagcf.data.simulate.live.people import People
from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.rooms import CONTENT_EMOTIONS, Goods, Rooms, Segments
from tagcf.data.simulate.live.scene import Topics, words
from tagcf.types import Codes, Floats, Mask
from tagcf.types.live import ACTIONS

INTENTS = (
    "ask_price", "ask_link", "ask_detail", "will_buy", "bought", "complaint", "request", "spam",
    "none", "lottery", "greeting",
)  # fmt: skip
EMOTIONS = ("joy", "affection", "surprise", "anger", "disappointment", "worry", "none")
SENTIMENT_OF = (1, 1, 0, -1, -1, -1, 0)  # of EMOTIONS
# Without a product: how often each of INTENTS is written.
IDLE = np.array([0.004, 0.004, 0.006, 0.002, 0.004, 0.025, 0.05, 0.012, 0.86, 0.0, 0.033])
# With one: what is added at full desire, from ask_price to will_buy.
ASKING = np.array([0.16, 0.13, 0.14, 0.10])
TYPOS = 0.05
AUDIENCE = np.array([0.36, 0.18, 0.08, 0.05, 0.06, 0.04, 0.23])  # emotions by themselves


@dataclass(frozen=True, slots=True)
class Chat:
    """What danmaku and comments mean, in the order of the acts that they are."""

    act: Codes  # position in the acts
    intent: Codes
    emotion: Codes
    sentiment: Codes  # -1, 0, 1


def draw_meanings(
    topics: Topics,
    people: People,
    rooms: Rooms,
    goods: Goods,
    segments: Segments,
    acts: Acts,
    lottery_share: Floats,
    rng: np.random.Generator,
) -> Chat:
    """Draw intent and emotion of every danmaku and comment.

    `lottery_share` (n,) is the chance that an act is only there because of a lottery.
    """
    talk = (ACTIONS.index("danmaku"), ACTIONS.index("comment"))
    act = np.flatnonzero(np.isin(acts.action, talk)).astype(np.int32)
    user, segment, n = acts.user[act], acts.segment[act], len(act)
    product = segments.product[segment]
    chance = np.broadcast_to(IDLE, (n, len(IDLE))).copy()
    selling = product >= 0
    want = desire(
        topics, people, goods, user[selling], acts.interest[act][selling], product[selling]
    )
    chance[selling, :4] += ASKING * np.clip(want, 0.05, 1.2)[:, None]
    chance /= chance.sum(axis=1, keepdims=True)
    intent = (chance.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, len(INTENTS) - 1)
    intent[rng.random(n) < lottery_share[act]] = INTENTS.index("lottery")
    bots = acts.planted[act] >= 0
    intent[bots] = INTENTS.index("spam")
    raided = (acts.user[act] >= len(people.kind)) & ~bots & (rng.random(n) < 0.5)
    intent[raided] = INTENTS.index("greeting")
    follows = rng.random(n) < rooms.resonance[segments.room[segment]]
    content = np.array([EMOTIONS.index(one) for one in CONTENT_EMOTIONS])[segments.emotion[segment]]
    emotion = np.where(follows, content, rng.choice(len(EMOTIONS), n, p=AUDIENCE))
    emotion[intent != INTENTS.index("none")] = EMOTIONS.index("none")
    emotion[intent == INTENTS.index("complaint")] = EMOTIONS.index("anger")
    sentiment = np.array(SENTIMENT_OF)[emotion]
    return Chat(act, intent.astype(np.int32), emotion.astype(np.int32), sentiment.astype(np.int32))


def lottery_shares(settings: LivePlatform, lottery: Floats, acts: Acts, tick: float) -> Floats:
    """(n,) the chance that only a lottery made an act; `lottery` (R, A, ticks) is its lift."""
    share = np.zeros(len(acts))
    danmaku = (acts.action == ACTIONS.index("danmaku")) & (acts.planted < 0)
    at = np.minimum((acts.at[danmaku] / tick).astype(np.int64), settings.ticks - 1)
    lift = lottery[acts.room[danmaku], INTERACTIONS.index("danmaku"), at]
    share[danmaku] = 1 - 1 / lift
    return share


def put_into_words(
    topics: Topics,
    goods: Goods,
    segments: Segments,
    acts: Acts,
    chat: Chat,
    rng: np.random.Generator,
) -> list[str]:
    """(n,) texts: a pattern of the intent, or of the emotion, with slips of the finger."""
    patterns, moods = words("talk")["danmaku"], words("talk")["emotion"]
    draw = rng.random((len(chat.act), 5))
    texts: list[str] = []
    segment = acts.segment[chat.act]
    none = INTENTS.index("none")
    product, main = segments.product[segment], segments.main[segment]
    for k, (intent, emotion) in enumerate(
        zip(chat.intent.tolist(), chat.emotion.tolist(), strict=True)
    ):
        choices = moods[EMOTIONS[emotion]] if intent == none else patterns[INTENTS[intent]]
        text = _pick(choices, draw[k, 0])
        if "{" in text:
            name = goods.name[product[k]] if product[k] >= 0 else "这个"
            word = _pick(topics.tags[main[k]].keywords, draw[k, 1])
            text = text.format(p=name, t=word, n=1 + int(8 * draw[k, 2]))
        texts.append(_slip(text, draw[k, 3], draw[k, 4]) if draw[k, 3] < 4 * TYPOS else text)
    return texts


def _pick(choices: Sequence[str], luck: float) -> str:
    return choices[int(luck * len(choices))]


def _slip(text: str, kind: float, where: float) -> str:
    """A character lost or doubled, the end drawn out, or marks added."""
    at = int(where * len(text))
    if kind < TYPOS:
        return text[:at] + text[at + 1 :] if len(text) > 3 else text
    if kind < 2 * TYPOS:
        return text[:at] + text[at] + text[at:]
    if kind < 3 * TYPOS:
        return text + text[-1] * (1 + int(4 * where))
    return text + ("！", "!!", "~", "？", "😂", "[赞]")[int(6 * where)]


def buying(acts: Acts, chat: Chat, wanted: Sequence[str]) -> Mask:
    """(n acts,) which are danmaku or comments with one of these intents."""
    mask = np.zeros(len(acts), np.bool_)
    mask[chat.act[np.isin(chat.intent, [INTENTS.index(one) for one in wanted])]] = True
    return mask
