"""Made-up test data for the views: invented tags with invented effects, from no platform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tagcf.doubts import Balance
from tagcf.types import (
    BadRows,
    Contribution,
    Effect,
    Method,
    Outcome,
    ReadReport,
    Reason,
    Rung,
    TagEffects,
    WhatIf,
)
from tagcf.views.facts import ReportFacts, TruthRow

NAMES = (
    ("萌宠互动", "Cute pets"),
    ("怀旧音乐", "Nostalgic music"),
    ("都市逃离感", "Urban escape"),
    ("轻松幽默", "Light humour"),
    ("剧情反转", "Plot twist"),
    ("手工教程", "Craft tutorial"),
    ("街头美食", "Street food"),
    ("亲子日常", "Family life"),
    ("国风舞蹈", "Traditional Chinese dance"),
    ("电竞高光", "Esports highlights"),
    ("深夜治愈", "Late-night comfort"),
    ("职场吐槽", "Office complaints"),
    ("乡村风光", "Countryside scenery"),
    ("极限运动", "Extreme sports"),
    ("知识科普", "Popular science"),
    ("沉浸式收纳", "Immersive tidying"),
    ("方言搞笑", "Dialect comedy"),
    ("穿搭分享", "Outfit ideas"),
    ("健身打卡", "Workout check-in"),
    ("悬疑解说", "Mystery commentary"),
    ("开箱测评", "Unboxing review"),
    ("情感故事", "Relationship stories"),
    ("航拍大片", "Aerial cinematography with a rather long English name"),
    ("合唱翻唱", "Cover songs"),
    ("农活日常", "Farm work"),
    ("古装变装", "Costume transformation"),
    ("助眠白噪音", "White noise for sleep"),
    ("财经速览", "Finance brief"),
    ("历史冷知识", "History trivia"),
    ("钓鱼实况", "Fishing live"),
    ("宿舍整活", "Dorm pranks"),
    ("毛毡手作", "Felt craft"),
    ("冬泳挑战", "Winter swimming"),
    ("老照片修复", "Photo restoration"),
    ("校园广播", "Campus radio"),
    ("机械解压", "Oddly satisfying machines"),
    ("雨天街景", "Rainy streets"),
    ("家常快手菜", "Quick home cooking"),
    ("猫咪日记", "Cat diary"),
    ("反转结尾", "Twist ending"),
)
OUTCOMES = (
    Outcome("click", "binary", column="click"),
    Outcome("completion", "binary", column="completion"),
    Outcome("watch_time", "real", column="watch_time"),
    Outcome("like", "binary", column="like"),
    Outcome("return_7d", "binary", derive="return"),
)
SIZES = (0.014, 0.03, 1.8, 0.004, 0.006)  # typical effect, on the outcome's own scale
BASELINES = (0.123, 0.41, 17.2, 0.031, 0.28)
SEGMENTS = ("city_tier=1", "city_tier=2", "city_tier=3")


def slug(at: int) -> str:
    return f"tag-{at}"


def tag_names(n_tags: int = len(NAMES)) -> dict[str, tuple[str, str]]:
    return {slug(at): _name(at) for at in range(n_tags)}


def _name(at: int) -> tuple[str, str]:
    zh, en = NAMES[at % len(NAMES)]
    turn = at // len(NAMES)
    return (zh, en) if turn == 0 else (f"{zh}{turn}", f"{en} {turn}")


def _effect(
    at: int,
    outcome: int,
    estimate: float,
    se: float,
    *,
    method: Method = "joint",
    rung: Rung = "within-author",
    segment: str | None = None,
    reason: Reason | None = None,
    told: bool = True,
) -> Effect:
    low, high = estimate - 1.98 * se, estimate + 1.98 * se
    q = min(1.0, 3 * float(np.exp(-((estimate / se) ** 2) / 2)))
    clear = reason is None and method != "naive" and q <= 0.1 and low * high > 0
    verdict = "cannot tell" if reason else "no clear effect"
    if clear:
        verdict = "raises" if estimate > 0 else "lowers"
    zh, en = _name(at)
    items = 12 if reason and reason.key == "reason.few_items" else 60 + 37 * (at % 23)
    return Effect(
        tag=slug(at),
        tag_zh=zh,
        tag_en=en,
        outcome=OUTCOMES[outcome].name,
        segment=segment,
        method=method,
        estimand="direct",
        estimate=estimate if told else None,
        se=se if told else None,
        ci_low=low if told else None,
        ci_high=high if told else None,
        p=q / 3 if told else None,
        q=q if told and reason is None else None,
        shrunk=0.85 * estimate if told and reason is None else None,
        shrunk_low=0.85 * estimate - 1.7 * se if told and reason is None else None,
        shrunk_high=0.85 * estimate + 1.7 * se if told and reason is None else None,
        baseline=BASELINES[outcome],
        relative=estimate / BASELINES[outcome] if told else None,
        n_rows=120_000,
        n_items=2_400,
        n_treated_items=items,
        effective_items=0.4 * items,
        rung=rung,
        verdict=verdict,
        reason=reason,
    )


def _refusal(at: int) -> Reason | None:
    if at % 13 == 7:
        return Reason("reason.few_items", (("n", 12), ("need", 50)))
    if at % 17 == 11:
        return Reason(
            "reason.near_duplicate", (("share", 97), ("zh", NAMES[0][0]), ("en", NAMES[0][1]))
        )
    return None


def made_up_effects(n_tags: int = len(NAMES), seed: int = 4) -> tuple[TagEffects, list[TruthRow]]:
    """Effects of invented tags on five outcomes, jointly, naively and by segment."""
    rng = np.random.default_rng(seed)
    effects, truth = [], []
    for k, size in enumerate(SIZES):
        for at in range(n_tags):
            real = size * rng.normal() if at % 2 else 0.0
            se = size * rng.uniform(0.12, 0.5)
            estimate = real + se * rng.normal()
            reason = _refusal(at)
            told = reason is None or at % 2 == 0
            effects.append(_effect(at, k, estimate, se, reason=reason, told=told))
            naive = real + size * rng.normal(0.4, 0.9)
            effects.append(_effect(at, k, naive, 0.2 * se, method="naive", rung="observational"))
            truth.append(TruthRow(slug(at), OUTCOMES[k].name, None, "direct", real))
            if k == 0 and at < 12:
                for segment in SEGMENTS:
                    part = real + size * rng.normal(0, 0.3)
                    wide = 1.7 * se
                    effects.append(_effect(at, k, part, wide, segment=segment, reason=reason))
    balance = []
    for at in range(n_tags):
        for control in ("duration_s", "hour", "author_followers", slug((at + 1) % n_tags)):
            before = rng.normal(0, 0.28)
            balance.append(Balance(slug(at), control, before, before * rng.uniform(0, 0.35)))
    found = TagEffects(
        effects=tuple(effects),
        balance=tuple(balance),
        n_rows=1_204_311,
        n_items=2_400,
        n_users=58_020,
        simulated=True,
    )
    return found, truth


def what_ifs() -> tuple[WhatIf, ...]:
    """Three invented answers: one tag, two tags, and one that the data does not support."""
    first = WhatIf(
        item="v1024",
        user=None,
        without=(slug(1),),
        with_=(),
        outcome="click",
        estimand="direct",
        before=0.131,
        after=0.112,
        delta=-0.019,
        ci_low=-0.026,
        ci_high=-0.012,
        supported=True,
        reason=None,
        contributions=(Contribution(slug(1), -0.019, -0.026, -0.012),),
    )
    second = replace(
        first,
        item="v77",
        without=(slug(0), slug(3)),
        after=0.118,
        delta=-0.013,
        ci_low=-0.024,
        ci_high=-0.002,
        contributions=(
            Contribution(slug(0), -0.022, -0.03, -0.014),
            Contribution(slug(3), 0.009, 0.002, 0.016),
        ),
    )
    third = replace(
        first,
        item="v3",
        supported=False,
        reason=Reason("reason.few_without", (("n", 3), ("need", 50))),
    )
    return first, second, third


def made_up_facts(n_tags: int = len(NAMES), seed: int = 4, **changes: object) -> ReportFacts:
    """A whole report's worth of invented facts."""
    effects, truth = made_up_effects(n_tags, seed)
    facts = ReportFacts(
        title="Made-up platform",
        effects=effects,
        outcomes=OUTCOMES,
        folder="made-up-platform",
        n_tags=n_tags,
        window=(1_767_225_600.0, 1_769_817_600.0),
        tag_names=tag_names(n_tags),
        clusters=("user_id", "item_id"),
        what_ifs=what_ifs(),
        truth=tuple(truth),
        read=ReadReport(
            1_204_400,
            1_204_311,
            (BadRows("bad.time", "impressions.csv, column ts", 89, ("row 17: 'x'",), "dropped"),),
        ),
        simulated=True,
    )
    return replace(facts, **changes)
