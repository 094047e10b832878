"""Counting events of rooms by second, against plain loops."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tagcf.live.rooms.seconds import COUNTED, RoomSeconds, Seconds, join_seconds
from tagcf.live.wire import from_rows
from tagcf.types.live import LiveEvents

START = 1_700_000_000.0


def events(*rows: tuple[str, str, float, str]) -> LiveEvents:
    return from_rows(
        [
            {
                "event_id": str(k),
                "user_id": user,
                "room_id": room,
                "ts": START + ts,
                "action": action,
            }
            for k, (user, room, ts, action) in enumerate(rows)
        ]
    )


def counted(stream: RoomSeconds, *batches: LiveEvents) -> Seconds:
    return join_seconds([*(stream.update(batch) for batch in batches), stream.finish()])


def some_events(seed: int = 0, n: int = 3_000) -> list[tuple[str, str, float, str]]:
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.uniform(0, 400, n)).round(2)
    kinds = ["click", "dwell", "like", "danmaku", "gift", "purchase", "leave", "impression"]
    return [
        (f"u{rng.integers(40)}", f"r{rng.integers(3)}", float(t), str(rng.choice(kinds)))
        for t in ts
    ]


def test_counts_are_those_of_a_plain_loop() -> None:
    rows = some_events()
    found = counted(RoomSeconds(late=20), events(*rows))
    totals = dict(zip(COUNTED, found.counts.sum(axis=0).tolist(), strict=True))
    for name in ("like", "danmaku", "gift", "purchase"):
        assert totals[name] == sum(action == name for *_, action in rows)
    active = {(user, room, int(ts)) for user, room, ts, action in rows if action != "impression"}
    assert found.active.sum() == pytest.approx(len(active), rel=0.02)


@pytest.mark.parametrize("size", [1, 7, 500])
def test_batches_do_not_matter(size: int) -> None:
    rows = some_events(1)
    whole = events(*rows)
    at_once = counted(RoomSeconds(late=20), whole)
    ids = [f"{k}" for k in range(len(rows))]
    parts = [
        from_rows(
            [
                {"event_id": ids[k], "user_id": u, "room_id": r, "ts": START + t, "action": a}
                for k, (u, r, t, a) in list(enumerate(rows))[begin : begin + size]
            ]
        )
        for begin in range(0, len(rows), size)
    ]
    piecewise = counted(RoomSeconds(late=20), *parts)
    order = np.argsort(at_once.rooms)[np.argsort(np.argsort(piecewise.rooms))]
    assert piecewise.counts.sum() == at_once.counts.sum()
    assert piecewise.viewers.sum() == at_once.viewers.sum()
    assert len(order) == len(at_once.rooms)
    np.testing.assert_allclose(
        piecewise.weighted.sum(axis=0), at_once.weighted.sum(axis=0), rtol=1e-5
    )


def test_late_events_count_within_the_window_and_are_told_beyond() -> None:
    clock = [("u0", "r", float(t), "dwell") for t in range(100)]
    late = [("u1", "r", 95.0, "like"), ("u2", "r", 30.0, "like")]
    stream = RoomSeconds(late=20)
    found = counted(stream, events(*clock, *late))
    assert found.counts[:, COUNTED.index("like")].sum() == 1
    assert stream.late == 1


def test_one_wrong_clock_does_not_stop_a_room() -> None:
    rows = [("u0", "r", float(t), "like") for t in range(60)]
    rows.insert(10, ("u9", "r", 9e6, "like"))
    stream = RoomSeconds(late=5)
    found = counted(stream, events(*rows))
    assert found.counts[:, COUNTED.index("like")].sum() == 60
    assert stream.early == 1


def test_one_telephone_a_day_ahead_does_not_make_all_others_late() -> None:
    rows = [(f"u{t % 7}", "r", float(t), "like") for t in range(200)]
    for at in range(10, 150, 2):
        rows.insert(2 * at, ("u9", "r", 86_400.0 + at, "like"))
    stream = RoomSeconds(late=5)
    found = counted(stream, events(*rows))
    assert stream.late == 0
    assert found.counts[:, COUNTED.index("like")].sum() == 200


def test_after_a_night_a_room_goes_on() -> None:
    rows = [(f"u{t % 5}", "r", float(t), "like") for t in range(50)]
    rows += [(f"u{t % 5}", "r", 40_000.0 + t, "like") for t in range(50)]
    stream = RoomSeconds(late=5)
    found = counted(stream, events(*rows))
    assert stream.late == 0
    assert found.counts[:, COUNTED.index("like")].sum() == 100


def test_nobody_is_believed_whose_clock_is_ahead_of_ours() -> None:
    now = time.time() - START
    rows = [(f"u{t % 5}", "r", now + t - 60, "like") for t in range(60)]
    rows += [(f"x{k}", "r", now + 90_000.0, "like") for k in range(40)]
    rows += [("u0", "r", now, "like")]
    stream = RoomSeconds(late=5)
    counted(stream, events(*rows))
    assert (stream.late, stream.early) == (0, 40)


def likes(found: Seconds) -> int:
    return int(found.counts[:, COUNTED.index("like")].sum())


@pytest.mark.parametrize("users", [1, 2, 5])
@pytest.mark.parametrize("every", [20.0, 60.0, 7_200.0])
def test_a_stream_with_few_events_loses_none(users: int, every: float) -> None:
    rows = [(f"u{k % users}", "r", every * k, "like") for k in range(100)]
    stream = RoomSeconds(late=30)
    found = counted(stream, *(events(row) for row in rows))
    assert (likes(found), stream.late, stream.early) == (100, 0, 0)
    ahead = RoomSeconds(late=30)
    held = [len(ahead.update(events(row))) for row in rows]
    assert users == 1 or sum(held) > 0  # of two, it does not wait for the end


def test_one_person_alone_is_counted_before_the_end() -> None:
    rows = [("u", "r", float(t), "like") for t in range(400)]
    assert likes(RoomSeconds(late=30).update(events(*rows))) > 300


@pytest.mark.parametrize("wrong", [["x"], ["x", "x", "x"], ["x", "y", "z"]])
def test_wrong_clocks_among_the_first_make_nobody_late(wrong: list[str]) -> None:
    rows = [(who, "r", 86_400.0 * (k + 1), "like") for k, who in enumerate(wrong)]
    rows += [(f"u{t % 7}", "r", t / 2, "like") for t in range(400)]
    stream = RoomSeconds(late=30)
    found = counted(stream, events(*rows))
    assert (likes(found), stream.late, stream.early) == (400, 0, len(wrong))


def test_telephones_that_are_wrong_by_different_times_do_not_agree() -> None:
    rows = [(f"u{t % 7}", "r", t / 2, "like") for t in range(300)]
    rows[100:100] = [(f"x{k}", "r", 3_600.0 * (k + 1), "like") for k in range(10)]
    stream = RoomSeconds(late=30)
    found = counted(stream, events(*rows))
    assert (likes(found), stream.late, stream.early) == (300, 0, 10)


def test_one_telephone_is_not_believed_however_much_it_sends() -> None:
    rows = [(f"u{t % 7}", "r", t / 2, "like") for t in range(300)]
    rows[100:100] = [("x", "r", 86_400.0 + k, "like") for k in range(200)]
    stream = RoomSeconds(late=30)
    found = counted(stream, events(*rows))
    assert (likes(found), stream.late, stream.early) == (300, 0, 200)


def test_no_more_is_held_than_there_is_room_for() -> None:
    near = [(f"u{t % 7}", "r", t / 100, "like") for t in range(2_000)]
    wrong = [("x", "r", 86_400.0 + k, "like") for k in range(6_000)]
    rows = near[:1_000] + wrong[:3_000] + near[1_000:1_500] + wrong[3_000:] + near[1_500:]
    stream = RoomSeconds(late=30)
    assert likes(counted(stream, events(*rows))) == 2_000
    assert (stream.late, stream.early) == (0, 6_000)


def test_wrong_clocks_late_events_and_batches_of_any_size() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for k in range(4_000):
        away = rng.choice([0.0, -4.0, -8.0, 40.0, 7_200.0], p=[0.9, 0.05, 0.03, 0.01, 0.01])
        night = 30_000.0 * (k > 2_000)
        rows.append((f"u{rng.integers(40)}", f"r{k % 3}", 60 + k / 4 + night + float(away), "like"))
    told = []
    for size in (1, 16, 333, 4_000):
        stream = RoomSeconds(late=10)
        batches = (events(*rows[at : at + size]) for at in range(0, 4_000, size))
        found = counted(stream, *batches)
        told.append((stream.late, stream.early, likes(found), int(found.viewers.sum())))
    assert len(set(told)) == 1
    assert told[0][2] >= 3_880


def test_a_room_that_has_long_been_silent_takes_no_memory() -> None:
    stream = RoomSeconds(late=5, idle=30)
    parts, before = [], 0
    for evening in range(40):
        rows = [
            (f"u{t % 9}", f"r{evening}.{t % 5}", 600.0 * evening + t / 10, "like")
            for t in range(200)
        ]
        parts.append(stream.update(events(*rows)))
        before = before or stream.memory
    parts.append(stream.finish())
    whole = join_seconds(parts)
    assert len(stream.rooms) == 200
    assert stream.memory < 2 * before
    assert np.bincount(whole.room, whole.counts.sum(axis=1)).tolist() == [40.0] * 200
    back = RoomSeconds(late=5, idle=30)
    rows = [(f"u{t % 9}", "a" if t % 400 < 200 else "b", float(t), "like") for t in range(1_600)]
    assert np.bincount((f := counted(back, events(*rows))).room, f.active).tolist() == [800, 800]


def test_viewers_come_and_go() -> None:
    rows = [
        ("a", "r", 0.0, "click"),
        ("b", "r", 2.0, "click"),
        ("a", "r", 5.0, "leave"),
        ("b", "r", 10.0, "like"),
        ("c", "s", 11.0, "click"),
        ("d", "s", 12.0, "click"),
        ("c", "s", 80.0, "dwell"),
        ("d", "s", 81.0, "dwell"),
    ]
    found = counted(RoomSeconds(late=5, idle=30), events(*rows))
    room = int(np.flatnonzero(np.bincount(found.room, found.counts.sum(axis=1)) > 0)[0])
    by_second = {
        int(s - START): int(v)
        for r, s, v in zip(found.room, found.second, found.viewers, strict=True)
        if r == room
    }
    assert by_second[0] == 1
    assert by_second[3] == 2
    assert by_second[7] == 1  # a has left
    assert by_second[39] == 1
    assert by_second.get(41, 0) == 0  # b has been silent for half a minute


def test_a_few_accounts_weigh_less_than_many() -> None:
    watchers = [(f"u{k}", "r", 0.1 * k, "click") for k in range(40)]
    crowd = [(f"u{k}", "r", 10 + 0.1 * k, "like") for k in range(40)]
    mass = [("u0", "s", 0.0, "click")] + [("u0", "s", 10 + 0.1 * k, "like") for k in range(40)]
    bots = [(f"b{k % 4}", "t", 10 + 0.1 * k, "like") for k in range(40)]
    rows = sorted([*watchers, *crowd, *mass, *bots], key=lambda row: row[2])
    found = counted(RoomSeconds(late=5), events(*rows))
    like = COUNTED.index("like")
    weights = np.bincount(found.room, found.weighted[:, like])
    assert sorted(np.bincount(found.room, found.counts[:, like])) == [40, 40, 40]
    never_came_in, mass_of_one, many = sorted(weights)
    assert (never_came_in, many) == (0, 40)
    assert mass_of_one < 16


def test_nothing_comes_of_nothing() -> None:
    stream = RoomSeconds()
    assert len(stream.update(events())) == 0
    assert len(stream.finish()) == 0
