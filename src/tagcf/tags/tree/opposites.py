"""Names and tags that stand for opposites: near in meaning to an embedding, but not the same.

Embeddings put opposites close together, since they stand in the same sentences. Two cues tell
them from names of one thing: their words (慢节奏 and 快节奏 differ in a pair of opposites alone),
and the items: an encoder that knows two names of one thing finds both where it finds either,
while opposites hardly ever meet on an item.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy import sparse, stats

from tagcf.types import Mask

RARE = 0.01  # chance of so few items in common, were the two independent
FEWER = 0.5  # … of what was to be expected

_ZH = (
    "快慢 高低 大小 多少 新旧 新老 冷热 冷暖 明暗 亮暗 昼夜 早晚 长短 远近 强弱 轻重 软硬 胖瘦 "
    "贵贱 喜悲 乐悲 正负 正反 男女 父母 爸妈 公母 单双 内外 上下 前后 左右 静闹 静动 浓淡 干湿 "
    "深浅 生熟 真假 难易 先后 升降 涨跌 买卖 开关 进退 攻守 输赢 胜败 成败 甜苦 甜咸 雅俗 土洋 "
    "古今 春秋 夏冬 南北 东西 城乡 中西 荤素 增减 粗细 厚薄 繁简 悲欢"
)
_EN = (
    "fast slow, quick slow, high low, big small, large small, new old, young old, hot cold, "
    "warm cold, bright dark, light dark, light heavy, day night, early late, long short, near far, "
    "strong weak, loud quiet, happy sad, joyful sad, positive negative, male female, men women, "
    "boys girls, father mother, dad mom, indoor outdoor, inside outside, before after, "
    "up down, left right, easy hard, easy difficult, rich poor, cheap expensive, sweet salty, "
    "sweet bitter, wet dry, win lose, rural urban, ancient modern, domestic foreign, warm cool, "
    "summer winter, spring autumn, front back, single couple, beginner advanced, "
    "beginner expert, hard soft, pro anti, more less, lively calm, true fake, simple complex"
)
_NOT_ZH = ("不", "无", "非", "没", "反", "去")
_NOT_EN = ("un", "non", "anti", "dis", "im", "in")
_NOT_WORDS = frozenset({"not", "no", "non", "without", "never", "anti"})
_FILLERS = frozenset({"with", "the", "a", "an", "of"})

_OPPOSITE_CHARACTERS = frozenset(frozenset(pair) for pair in _ZH.split())
_OPPOSITE_WORDS = frozenset(frozenset(pair.split()) for pair in _EN.split(", "))
_CHARACTERS = frozenset().union(*_OPPOSITE_CHARACTERS)
_WORDS = frozenset().union(*_OPPOSITE_WORDS)
_HAN = re.compile(r"[\u3400-\u9fff]")


def opposed_names(names: Sequence[str]) -> Mask:
    """(n, n) which names differ by a pair of opposites, or by a negation.

    Names of one script each; only those with a cue are compared, each with those that share all
    the rest, so the cost grows with n.
    """
    opposed = np.zeros((len(names), len(names)), bool)
    cued: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for at, name in enumerate(names):
        for rest, cue in _cues(name.casefold().strip()):
            cued.setdefault(rest, []).append((at, cue))
    for alike in cued.values():
        for place, (one, cue) in enumerate(alike):
            for other, second in alike[:place]:
                if frozenset((cue, second)) in _OPPOSITE_CHARACTERS | _OPPOSITE_WORDS | _NEGATION:
                    opposed[one, other] = opposed[other, one] = True
    np.fill_diagonal(opposed, val=False)
    return opposed


_NEGATION = frozenset({frozenset(("", "not"))})


def _cues(name: str) -> list[tuple[tuple[str, ...], str]]:
    """What a name could be set against: the rest of it, and the cue; "" for all of it."""
    if not _HAN.search(name):
        return _word_cues(re.findall(r"[a-z0-9]+", name))
    found: list[tuple[tuple[str, ...], str]] = [((name,), "")]
    found += [((name[len(no) :],), "not") for no in _NOT_ZH if name.startswith(no)]
    for at, character in enumerate(name):
        if character in _CHARACTERS:
            found.append(((name[:at], name[at + 1 :]), character))
    return found


def _word_cues(words: list[str]) -> list[tuple[tuple[str, ...], str]]:
    words = [word for word in words if word not in _FILLERS]
    plain = [_stem(word) for word in words]
    found: list[tuple[tuple[str, ...], str]] = [(tuple(plain), "")]
    for at, word in enumerate(plain):
        rest = (*plain[:at], "", *plain[at + 1 :])
        if words[at] in _NOT_WORDS:
            found.append(((*plain[:at], *plain[at + 1 :]), "not"))
        elif words[at] in _WORDS or word in _WORDS:
            found.append((rest, words[at] if words[at] in _WORDS else word))
        found += [
            ((*plain[:at], word[len(no) :], *plain[at + 1 :]), "not")
            for no in _NOT_EN
            if word.startswith(no) and len(word) > len(no) + 2
        ]
    return found


def _stem(word: str) -> str:
    """A word without the commonest endings, so that slow pace is set against fast-paced."""
    for ending in ("ing", "ed", "es", "s", "d", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def exclude_each_other(carried: sparse.csr_array) -> Mask:
    """(T, T) tags that meet on far fewer items than independent ones would.

    Parameters
    ----------
    carried
        (I, T) 0/1.

    Returns
    -------
    True where the hypergeometric chance of as few items in common is below `RARE` and there are
    fewer than `FEWER` of those expected.
    """
    n = carried.shape[0]
    both = (carried.T @ carried).toarray()
    count = np.asarray(carried.sum(axis=0)).ravel()
    expected = np.outer(count, count) / max(n, 1)
    chance = stats.hypergeom.cdf(np.round(both), n, count[:, None], count[None, :])
    apart: Mask = (chance < RARE) & (both < FEWER * expected)
    return apart
