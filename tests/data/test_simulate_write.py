"""A written world is a workspace like any other, and says that it is simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tagcf.data.read import read_log
from tagcf.data.simulate import Platform, simulate, write_world
from tagcf.data.simulate.sector import SECTORS, SectorName, read_sector
from tagcf.data.workspace import open_workspace
from tagcf.tags.graph import load_graph, read_edges
from tagcf.tags.matrix import load_tags

SMALL = {"users": 60, "items": 80, "tags": 16, "days": 21, "impressions_per_user_day": 3.0}


@pytest.mark.parametrize("sector", SECTORS)
def test_every_sector_is_read_back_as_the_log_in_memory(sector: SectorName, tmp_path: Path) -> None:
    world = simulate(Platform(sector=sector, seed=3, **SMALL))  # type: ignore[arg-type]  # see SMALL
    write_world(world, tmp_path)
    log = read_log(tmp_path)
    assert log.simulated
    assert log.report.bad == ()
    assert log.n_rows == world.log.n_rows
    assert log.n_authors == world.log.n_authors
    names = read_sector(sector).outcomes
    assert (*(one.name for one in log.outcomes), log.derived[0].name) == names
    assert [one.name for one in log.covariates] == ["duration_s", "hour", "user_activity"]
    assert log.instruments[0].tags == (read_sector(sector).instrument,)
    assert log.has_randomized
    drawn = np.concatenate([batch.outcomes for batch in log.batches()])
    np.testing.assert_allclose(drawn.mean(axis=0), world.drawn.mean(axis=0), rtol=1e-4)
    ids = log.items.ids.to_pylist()
    seen = {ids[item] for batch in log.batches() for item in np.unique(batch.item)}
    assert seen == {world.log.items[item] for item in np.unique(world.shown.item)}
    tags = load_tags(open_workspace(tmp_path), log)
    assert {tag.slug for tag in tags.tags} == {tag.slug for tag in world.tags.tags}
    assert (
        tags.carried().sum()
        == world.mechanism.catalogue.carried[np.isin(world.log.items.ids.to_pylist(), ids)].sum()
    )
    # What the graph calls downstream is what the truth lets change in a total effect.
    slugs = [tag.slug for tag in world.tags.tags]
    graph = load_graph(open_workspace(tmp_path), tags.tags)
    for t, slug in enumerate(slugs):
        caused = {slugs[child] for parent, child in world.mechanism.design.causes if parent == t}
        assert graph.descendants(slug) & set(slugs) == caused


@pytest.mark.parametrize("sector", SECTORS)
def test_tags_carry_their_names_whether_the_vocabulary_knows_them_or_not(
    sector: SectorName, tmp_path: Path
) -> None:
    settings = SMALL | {"tags": 50, "items": 320, "users": 30, "days": 2}
    world = simulate(Platform(sector=sector, seed=3, **settings))  # type: ignore[arg-type]  # see SMALL
    write_world(world, tmp_path)
    opened = open_workspace(tmp_path)
    tags = load_tags(opened, world.log).tags
    named = {tag.slug: (tag.zh, tag.en, tag.facet) for tag in world.tags.tags}
    assert {tag.slug: (tag.zh, tag.en, tag.facet) for tag in tags} == named
    assert named["tag-050"] == ("标签50", "Tag 50", "topic")
    # No branch of the vocabulary ties two of them in ways that the truth leaves out.
    caused = {
        (world.tags.tags[one].slug, world.tags.tags[other].slug)
        for one, other in world.mechanism.design.causes
    }
    graph = load_graph(opened, tags)
    assert {(one, other) for one in named for other in graph.descendants(one) & set(named)} == (
        caused
    )


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "again"):
        write_world(simulate(Platform(seed=5, **SMALL)), tmp_path / name)  # type: ignore[arg-type]  # see SMALL
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 7
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_files_hold_the_world(tmp_path: Path) -> None:
    world = simulate(Platform(seed=5, **SMALL))  # type: ignore[arg-type]  # see SMALL
    write_world(world, tmp_path)
    settings = open_workspace(tmp_path).settings
    assert settings.data.simulated
    assert "模拟" in (settings.data.title or "")
    assert "simulated" in (settings.data.title or "")
    rows = pl.read_parquet(tmp_path / "impressions.parquet")
    assert rows.height == world.log.n_rows
    assert not {"effect", "quality", "returned"} & set(rows.columns)
    pairs = pl.read_csv(tmp_path / "item_tags.csv")
    assert pairs.height == world.mechanism.catalogue.carried.sum()
    assert set(pairs["source"]) == {"simulated"}
    assert pl.read_parquet(tmp_path / "truth.parquet").equals(world.truth)
    edges = {
        (edge.upstream, edge.downstream)
        for edge in read_edges(tmp_path / "tag_graph.yaml", world.tags.tags)
    }
    assert ("camping", "urban-escape") in edges
    assert len(edges) == len(world.mechanism.design.causes)
    users = pl.read_csv(tmp_path / "users.csv")
    assert users.height == 60
    assert set(users["role"]) <= set(read_sector("video").roles)


def test_titles_name_a_part_of_the_carried_tags_and_no_others(tmp_path: Path) -> None:
    world = simulate(Platform(seed=5, **SMALL))  # type: ignore[arg-type]  # see SMALL
    write_world(world, tmp_path)
    titles = pl.read_csv(tmp_path / "items.csv")["title"].to_list()
    named = np.array(
        [
            [any(fragment in title for fragment in tag.keywords) for tag in world.tags.tags]
            for title in titles
        ]
    )
    carried = world.mechanism.catalogue.carried
    assert 0.4 < named[carried].mean() < 0.95
    assert named[~carried].mean() < 0.01
