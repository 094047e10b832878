"""The two texts of a simulated workspace that a person reads: tagcf.toml and tag_graph.yaml."""

from __future__ import annotations

import json

import yaml

from tagcf.data.simulate.outcomes import KINDS
from tagcf.data.simulate.world import World

_HEAD = """\
# {zh}：模拟平台，标签的真实作用已知（truth.parquet）。不是任何真实平台的数据。
# A SIMULATED platform ({en}) whose tag effects are known (truth.parquet). No real platform.
# Made by: tagcf simulate DIR --sector {sector} --users {users} --items {items} --tags {tags} \
--days {days} --seed {seed}

[data]
simulated = true          # every page and answer says so
title = "{zh}（模拟）/ {en} (simulated)"
"""

_DESIGN = """
[design]
randomized = "is_rand"    # 1: a uniformly drawn item was shown, 0: the policy chose
propensity = "p"          # exact chance of the item shown, given is_rand
author = "author_id"      # authors differ in unseen quality, and quality goes with tags
covariates = ["duration_s", "hour", "user_activity"]
exact = ["duration_s"]    # length changes completion mechanically: compare like with like
segments = ["city_tier", "age_band"]

[design.instruments]      # a bucket assigned at random -> the tag whose exposure it moves
bucket = [{instrument}]

[content]
text = ["title"]          # mentions some of the tags, so that a tagger can find them

[tags]
graph = "tag_graph.yaml"  # which tags cause which: total against direct effects
"""

_GRAPH_HEAD = """\
# 模拟平台的标签：谁引起谁（causes），以及各自的名称（tags）。
# Tags of the simulated platform: which causes which, and what each is called.
"""


def settings_text(world: World) -> str:
    """Return a commented tagcf.toml."""
    settings, sector = world.settings, world.sector
    head = _HEAD.format(
        zh=sector.zh,
        en=sector.en,
        sector=settings.sector,
        users=settings.users,
        items=settings.items,
        tags=settings.tags,
        days=settings.days,
        seed=settings.seed,
    )
    *logged, returned = sector.outcomes
    *logged_zh, returned_zh = sector.outcomes_zh
    parts = [
        f'\n[outcomes.{name}]           # {zh}\ncolumn = "{name}"\nkind = "{kind}"\n'
        for name, zh, kind in zip(logged, logged_zh, KINDS, strict=True)
    ]
    parts.append(
        f"\n[outcomes.{returned}]       # {returned_zh}: unit = user × week\n"
        'derive = "return"\ndays = 7\nperiod = "7d"\n'
    )
    return head + "".join(parts) + _DESIGN.format(instrument=json.dumps(sector.instrument))


def tag_graph(world: World) -> str:
    """Return tag_graph.yaml: which tags cause which, and what the tags are called."""
    slugs = [tag.slug for tag in world.tags.tags]
    causes: dict[str, list[str]] = {}
    for parent, child in world.mechanism.design.causes:
        causes.setdefault(slugs[parent], []).append(slugs[child])
    names = {tag.slug: {"zh": tag.zh, "en": tag.en, "facet": tag.facet} for tag in world.tags.tags}
    written = yaml.safe_dump(
        {"causes": causes, "tags": names},
        allow_unicode=True,
        default_flow_style=None,
        sort_keys=False,
        width=120,
    )
    return _GRAPH_HEAD + written
