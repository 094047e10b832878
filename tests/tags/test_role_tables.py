"""Roles as a recommender reads them: in a log's order, protected ones left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from benchmarks.logic_world import LogicWorld, logic_world
from tagcf.data.arrays import tags_from_arrays
from tagcf.data.workspace import Workspace
from tagcf.errors import OutputError
from tagcf.settings import RoleSettings, Settings
from tagcf.tags.roles.graph import LogicGraph, build_logic
from tagcf.tags.roles.infer import topic_scores
from tagcf.tags.roles.store import (
    read_item_roles,
    write_item_roles,
    write_logic,
    write_user_roles,
)
from tagcf.tags.roles.tables import load_roles
from tagcf.tags.roles.users import UserRoles, user_roles
from tagcf.tags.roles.vocabulary import all_roles, allowed_roles
from tagcf.tags.tree.versions import tree_version
from tagcf.types import IdMap, TagMatrix


@pytest.fixture(scope="module")
def world() -> LogicWorld:
    """Twelve roles of the list, one of which touches health."""
    made = logic_world("roles", pull=1.6, seed=5)
    health = next(slug for slug, attribute in all_roles().protected if attribute == "health")
    by_slug = {role.slug: role for role in all_roles().roles}
    named = (by_slug[health], *allowed_roles().roles[:11])
    return replace(made, roles=replace(made.roles, tags=named))


@pytest.fixture(scope="module")
def learnt(world: LogicWorld) -> tuple[LogicGraph, UserRoles]:
    return build_logic(world.log, world.tags, world.roles), user_roles(world.log, world.roles)


@pytest.fixture
def place(tmp_path: Path, world: LogicWorld, learnt: tuple[LogicGraph, UserRoles]) -> Workspace:
    on = Workspace(tmp_path, Settings(roles=RoleSettings(protected=["health"])))
    write_item_roles(on, world.roles)
    versions = {"tags": tree_version(on), "roles": allowed_roles(["health"]).version}
    write_logic(on, learnt[0], versions)
    write_user_roles(on, learnt[1])
    return on


def test_matrices_say_what_was_inferred(
    place: Workspace, world: LogicWorld, learnt: tuple[LogicGraph, UserRoles]
) -> None:
    graph, of_users = learnt
    found = load_roles(place, world.log.items, world.log.users)
    assert found.current
    assert [role.slug for role in found.roles] == [role.slug for role in world.roles.tags]
    np.testing.assert_array_equal(found.item_roles.toarray(), world.roles.strength.toarray())
    lift = of_users.lift.toarray()
    np.testing.assert_allclose(
        np.exp(found.user_roles.toarray()[lift > 0]), lift[lift > 0], rtol=1e-5
    )
    sure = found.user_roles_low.toarray() > 0
    np.testing.assert_array_equal(sure, of_users.low.toarray() > 1)
    np.testing.assert_array_equal(found.user_told, of_users.events >= 10)
    # Two hops by hand are those of the graph.
    up = found.to_roles.maximum(0), found.to_topics.maximum(0)
    interests = np.eye(len(graph.topics))
    base = graph.topic_share / graph.topic_share.sum()
    two = 0.5 * (up[0] @ up[1]).toarray()

    said = topic_scores(graph, sparse.csr_array(interests))
    np.testing.assert_allclose(two - base @ two, said, atol=1e-5)


def test_a_role_that_is_off_now_is_gone_everywhere(place: Workspace, world: LogicWorld) -> None:
    off = Workspace(place.root, Settings())
    found = load_roles(off, world.log.items, world.log.users)
    assert not found.current
    slugs = [role.slug for role in found.roles]
    assert world.roles.tags[0].slug not in slugs
    assert len(slugs) == 11
    every = load_roles(place, world.log.items, world.log.users)
    for name in ("item_roles", "user_roles", "user_roles_low", "to_roles"):
        np.testing.assert_array_equal(
            getattr(found, name).toarray(), getattr(every, name).toarray()[:, 1:], name
        )
    np.testing.assert_array_equal(found.to_topics.toarray(), every.to_topics.toarray()[1:])


def test_rows_follow_the_log_and_strangers_have_none(place: Workspace, world: LogicWorld) -> None:
    draw = np.random.default_rng(0)
    items, users = (
        [str(one) for one in draw.permutation(ids.ids.to_pylist())]
        for ids in (world.log.items, world.log.users)
    )
    people = IdMap(pa.array(["nobody", *users]))
    found = load_roles(place, IdMap(pa.array(["new", *items])), people)
    every = load_roles(place, world.log.items, world.log.users)
    at = world.log.users.find(users)
    np.testing.assert_array_equal(found.user_roles.toarray()[1:], every.user_roles.toarray()[at])
    np.testing.assert_array_equal(found.user_told[1:], every.user_told[at])
    assert not found.user_told[0]
    assert found.user_roles[[0]].nnz == found.item_roles[[0]].nnz == 0
    at = world.log.items.find(items)
    np.testing.assert_array_equal(found.item_roles.toarray()[1:], every.item_roles.toarray()[at])
    assert load_roles(place).users.ids.equals(world.log.users.ids)


def test_items_without_any_role(tmp_path: Path, world: LogicWorld) -> None:
    place = Workspace(tmp_path, Settings())
    with pytest.raises(OutputError, match="--roles"):
        read_item_roles(place)
    empty = tags_from_arrays(
        world.log.items, np.zeros((len(world.log.items), 1)), world.roles.tags[1:2]
    )
    write_item_roles(place, empty)
    back = read_item_roles(place, world.log.items)
    assert back.strength.shape == (len(world.log.items), 1)
    assert back.strength.nnz == 0


def test_item_roles_come_back(tmp_path: Path, world: LogicWorld) -> None:
    place = Workspace(tmp_path, Settings())
    write_item_roles(place, world.roles)
    back: TagMatrix = read_item_roles(place, world.log.items)
    assert back.tags == world.roles.tags
    assert back.sources == world.roles.sources
    np.testing.assert_array_equal(back.strength.toarray(), world.roles.strength.toarray())
    np.testing.assert_array_equal(back.source.toarray(), world.roles.source.toarray())
