"""Roles of users from behaviour: recovery, intervals, "cannot tell", the file."""

import numpy as np
import pytest

from benchmarks.logic_world import LogicWorld, logic_world
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.workspace import Workspace
from tagcf.settings import Settings
from tagcf.tags.roles.infer import render_user_roles, start_of
from tagcf.tags.roles.store import read_user_roles, write_user_roles
from tagcf.tags.roles.users import UserRoles, user_roles
from tagcf.types import Tag

ROLES = [Tag(f"r{k}", f"角{k}", f"R{k}", "role") for k in range(2)]


@pytest.fixture(scope="module")
def world() -> LogicWorld:
    return logic_world("roles", pull=1.6, seed=5)


@pytest.fixture(scope="module")
def found(world: LogicWorld) -> UserRoles:
    return user_roles(world.log, world.roles)


def test_the_role_of_a_user_is_found(world: LogicWorld, found: UserRoles) -> None:
    first, claims, right = [], 0, 0
    for u in range(len(world.log.users)):
        roles = found.of(world.log.users[u])
        if roles is None:
            assert found.events[u] < 10
            continue
        true = f"role-{world.role_of_user[u]}"
        first.append(bool(roles) and roles[0].role.slug == true)
        more = [one.role.slug for one in roles if one.verdict == "more"]
        claims += len(more)
        right += true in more
    assert np.mean(first) > 0.6  # chance: 1 in 12
    assert right / claims > 0.9
    assert right > 200


@pytest.mark.parametrize("shown", [False, True])
def test_nobody_is_called_anything_where_all_are_alike(shown: bool) -> None:
    world = logic_world("tastes", pull=0.0, shown=shown, seed=6)
    found = user_roles(world.log, world.roles)
    claims = (found.low.data > 1).sum()
    assert claims / len(world.log.users) < 0.05


def test_lifts_are_calibrated() -> None:
    """Users' own rates, drawn from a gamma, lie in their 90 % intervals about as often as said."""
    draw = np.random.default_rng(0)
    users, items = 1500, 400
    role = np.zeros((items, 1))
    role[:80] = 1
    lift = draw.gamma(4.0, 1 / 4.0, users)
    rows = []
    for u in range(users):
        weight = np.where(role[:, 0] > 0, lift[u], 1.0)
        rows += [(u, i) for i in draw.choice(items, 40, p=weight / weight.sum())]
    user, item = np.array(rows).T
    log = log_from_arrays(item=item, user=user, outcomes={"y": np.ones(len(user))})
    at = np.array([int(one) for one in log.items.ids.to_pylist()])
    found = user_roles(log, tags_from_arrays(log.items, role[at], ROLES[:1]))
    who = np.array([int(one) for one in log.users.ids.to_pylist()])
    share = lift * 80 / (lift * 80 + 320)
    true = (share / share.mean())[who]  # lift of the share, which is what a user's log shows
    kept = np.diff(found.lift.indptr) > 0
    low, high = found.low.toarray()[kept, 0], found.high.toarray()[kept, 0]
    covered = (low <= true[kept]) & (true[kept] <= high)
    assert 0.84 <= covered.mean() <= 0.96
    estimate = found.lift.toarray()[kept, 0]
    assert np.mean((estimate - true[kept]) ** 2) < np.var(true[kept])


def test_a_surprising_engagement_says_more() -> None:
    """Two users with one item of a role each: the one whose item few take is moved further."""
    rows = [(f"u{u}", "hit") for u in range(60)]
    rows += [(f"u{u}", "plain") for u in range(60)]
    rows += [("a", "hit"), *(("a", f"own{k}") for k in range(11))]
    rows += [("b", "rare"), *(("b", f"other{k}") for k in range(11))]
    user, item = zip(*rows, strict=True)
    log = log_from_arrays(item=item, user=user, outcomes={"y": np.ones(len(rows))})
    names = log.items.ids.to_pylist()
    role = np.array([[float(one in ("hit", "rare"))] for one in names])
    found = user_roles(log, tags_from_arrays(log.items, role, ROLES[:1]))
    at = log.users.find(["a", "b"])
    lift = found.lift.toarray()[:, 0]
    assert lift[at[1]] > lift[at[0]]


def test_what_was_shown_is_not_what_is_liked() -> None:
    """A user shown one role all the time, who likes it no more than others do, does not get it."""
    draw = np.random.default_rng(1)
    user = np.repeat(np.arange(200), 60)
    fed = user < 100
    item = np.where(draw.random(len(user)) < np.where(fed, 0.9, 0.1), 0, 100)
    item = item + draw.integers(100, size=len(user))
    liked = (draw.random(len(user)) < 0.3).astype(float)
    log = log_from_arrays(item=item, user=user, outcomes={"y": liked})
    at = np.array([int(one) for one in log.items.ids.to_pylist()])
    role = (at[:, None] < 100).astype(float)
    found = user_roles(log, tags_from_arrays(log.items, role, ROLES[:1]))
    assert (found.low.data > 1).mean() < 0.08
    chosen = liked > 0  # the engagements alone would have said so of nearly every one of them
    alone = log_from_arrays(item=item[chosen], user=user[chosen], outcomes={"y": liked[chosen]})
    at = np.array([int(one) for one in alone.items.ids.to_pylist()])
    wrong = user_roles(
        alone, tags_from_arrays(alone.items, (at[:, None] < 100).astype(float), ROLES[:1])
    )
    assert (wrong.low.data > 1).sum() > 60


def test_blocks_of_any_size_give_the_same_roles(world: LogicWorld, found: UserRoles) -> None:
    small = user_roles(world.log, world.roles, block_rows=3000)
    np.testing.assert_allclose(small.lift.toarray(), found.lift.toarray(), rtol=1e-5)


def test_sentences(found: UserRoles, world: LogicWorld) -> None:
    assert render_user_roles(None) == ["Cannot tell: too few engagements."]
    assert render_user_roles(()) == ["No role stands out."]
    u = int(np.flatnonzero(np.diff(found.low.indptr) & (found.low.max(axis=1).toarray() > 1.5))[0])
    roles = found.of(world.log.users[u])
    assert roles is not None
    assert "times as much as expected" in render_user_roles(roles)[0]
    assert start_of(roles)[roles[0].role.slug] == pytest.approx(np.log(roles[0].lift))
    assert found.of("nobody") is None


def test_round_trip(found: UserRoles, tmp_path) -> None:
    workspace = Workspace(tmp_path, Settings())
    write_user_roles(workspace, found)
    back = read_user_roles(workspace)
    assert back.roles == found.roles
    assert back.min_events == found.min_events
    np.testing.assert_array_equal(back.events, found.events)
    np.testing.assert_array_equal(back.low.toarray(), found.low.toarray())
    for u in (0, 7, len(found.users) - 1):
        assert back.of(found.users[u]) == found.of(found.users[u])
