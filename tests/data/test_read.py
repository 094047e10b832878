"""read_log on small workspaces: every array of a batch, and every kind of bad row."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tagcf.data.dictionary import Dictionary
from tagcf.data.read import read_log
from tagcf.data.tables import item_frame, read_item_tags, user_frame
from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError, SettingsError
from tagcf.types import EventBatch, EventLog

Make = Callable[..., Path]

CLICK = '[outcomes.click]\ncolumn = "click"\n'


def whole(log: EventLog) -> EventBatch:
    """All batches as one."""
    batches = list(log.batches())
    joined = {}
    for name in EventBatch.__slots__:
        parts = [getattr(batch, name) for batch in batches]
        joined[name] = None if parts[0] is None else np.concatenate(parts)
    return EventBatch(**joined)


def kinds(log: EventLog) -> dict[tuple[str, str], tuple[int, tuple[str, ...], str]]:
    return {(one.kind, one.where): (one.count, one.examples, one.action) for one in log.report.bad}


def test_every_array_of_a_batch(workspace: Make) -> None:
    folder = workspace(
        impressions=(
            "user_id,item_id,ts,click,clicks,shown,w,rnd,p,bucket,tab\n"
            "u1,i1,2024-01-01T10:00:00+08:00,1,3,10,2,0,0.5,b,x\n"
            "u9,i2,2024-01-01T10:00:00Z,true,1,4,1,1,,a,y\n"
            "u2,i3,2024-01-01 10:30:00,0,0,5,1,0,1,10,x\n"
        ),
        items="item_id,dur,author\ni2,3.5,A\ni1,7,\n",
        users="user_id,tier\nu2,3\nu1,10\n",
        settings=(
            f"{CLICK}[outcomes.ctr]\ncolumn='clicks'\nkind='count'\ntrials='shown'\n"
            "[data]\nweight='w'\ntimezone='Asia/Shanghai'\n"
            "[design]\nauthor='author'\ncovariates=['dur','hour','tab','tier']\n"
            "segments=['tier','tab']\nrandomized='rnd'\npropensity='p'\n"
            "cluster=['user_id','author','tab']\n[design.instruments]\nbucket=['t']\n"
        ),
    )
    log = read_log(folder)
    batch = whole(log)
    assert log.items.ids.to_pylist() == ["i2", "i1", "i3"]
    assert log.users.ids.to_pylist() == ["u2", "u1", "u9"]
    assert_array_equal(batch.item, [1, 0, 2])
    assert_array_equal(batch.user, [1, 2, 0])
    at_ten = 1704103200.0  # 2024-01-01T10:00:00Z
    assert_array_equal(batch.ts, [at_ten - 8 * 3600, at_ten, at_ten - 7.5 * 3600])
    assert_allclose(batch.outcomes, [[1, 0.3], [1, 0.25], [0, 0]])
    assert_allclose(batch.weights, [[2, 20], [1, 4], [1, 5]])
    assert [(one.name, one.kind, one.source) for one in log.covariates] == [
        ("dur", "number", "items"),
        ("hour", "category", "impressions"),
        ("tab", "category", "impressions"),
        ("tier", "number", "users"),
    ]
    assert_allclose(batch.covariates, [[7, 10, 0, 10], [3.5, 18, 1, np.nan], [np.nan, 10, 0, 3]])
    assert log.segments[0].levels == ("3", "10")  # by value, not by text
    assert_array_equal(batch.segments, [[1, 0], [-1, 1], [0, 0]])
    assert_array_equal(log.user_segments, [[0, -1], [1, -1], [-1, -1]])
    assert log.instruments[0].levels == ("10", "a", "b")
    assert_array_equal(batch.instruments[:, 0], [2, 1, 0])
    assert_array_equal(log.item_author, [0, -1, -1])
    # Items without an author are clusters of one: A, i1, i3.
    assert [axis.n_clusters for axis in log.clusters] == [3, 3, 2]
    assert_array_equal(batch.clusters, [[1, 1, 0], [2, 0, 1], [0, 2, 0]])
    assert batch.randomized is not None
    assert_array_equal(batch.randomized, [False, True, False])
    assert batch.propensity is not None
    assert_array_equal(batch.propensity, [0.5, np.nan, 1])
    assert (log.has_randomized, log.n_authors, log.n_strata) == (True, 1, 0)


def test_bad_rows_are_counted_with_examples_and_nothing_is_silent(workspace: Make) -> None:
    folder = workspace(
        impressions=(
            "user_id,item_id,ts,click,clicks,shown,w\n"
            "u1,i1,1704103200,1,1,2,1\n"  # row 2
            ",i1,1704103201,1,1,2,1\n"  # 3: no user
            "u1,,1704103202,1,1,2,1\n"  # 4: no item
            "u1,i1,yesterday,abc,1,2,1\n"  # 5: time, wrong type
            "u1,i1,1704103204,2,5,2,1\n"  # 6: outside 0/1; more than trials
            "u1,i1,1704103205,,1.5,2,1\n"  # 7: missing; not whole
            "u1,i1,1704103206,NaN,1,0,1\n"  # 8: missing; no trials
            "u1,i1,1704103207,0,1,2,0\n"  # 9: weight 0
            "u1,i1,1704103208,0,1,2,-1\n"  # 10: weight < 0
            "u1,i1,1704103200,1,1,2,1\n"  # 11: repeats row 2
            "u1,i7,1704103211,1,1,2,1\n"  # 12: item without a row
            "u1,i1,1704103212,1,1,2\n"  # a field short
        ),
        items="item_id,title\ni1,a\ni1,b\n,c\n",
        settings=(
            f"{CLICK}[outcomes.ctr]\ncolumn='clicks'\nkind='count'\ntrials='shown'\n"
            "[data]\nweight='w'\n"
        ),
    )
    log = read_log(folder)
    found = kinds(log)
    csv = "impressions.csv"
    assert found["bad.missing_id", f"{csv}, column user_id"] == (1, ("row 3",), "dropped")
    assert found["bad.missing_id", f"{csv}, column item_id"] == (1, ("row 4",), "dropped")
    assert found["bad.time", f"{csv}, column ts"] == (1, ("row 5: 'yesterday'",), "as_missing")
    assert found["bad.wrong_type", f"{csv}, column click"] == (1, ("row 5: 'abc'",), "as_missing")
    assert found["bad.out_of_kind", f"{csv}, column click"] == (1, ("row 6: '2'",), "as_missing")
    assert found["bad.missing_outcome", f"{csv}, column click"][:2] == (2, ("row 7", "row 8"))
    assert found["bad.out_of_kind", f"{csv}, column clicks"][:2] == (1, ("row 7: '1.5'",))
    assert found["bad.more_than_trials", f"{csv}, column clicks"][:2] == (1, ("row 6: '5'",))
    assert found["bad.no_trials", f"{csv}, column shown"][:2] == (1, ("row 8: '0'",))
    assert found["bad.weight", f"{csv}, column w"] == (
        2,
        ("row 9: '0'", "row 10: '-1'"),
        "dropped",
    )
    assert found["bad.duplicate_row", csv] == (1, ("row 11",), "kept")
    assert found["bad.unknown_item", f"{csv}, column item_id"] == (1, ("row 12: 'i7'",), "kept")
    assert found["bad.broken_line", csv][0] == 1
    assert found["bad.duplicate_id", "items.csv, column item_id"] == (
        1,
        ("row 3: 'i1'",),
        "dropped",
    )
    assert found["bad.missing_id", "items.csv, column item_id"][:2] == (1, ("row 4",))
    assert (log.report.rows_read, log.report.rows_used, log.n_rows) == (12, 7, 7)
    batch = whole(log)
    assert batch.n_rows == 7
    assert_array_equal(batch.weights[:, 0] > 0, [True, False, False, False, False, True, True])
    assert_array_equal(np.isnan(batch.outcomes), batch.weights == 0)
    assert item_frame(open_workspace(folder))["title"].to_list() == ["a", None]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2024-03-01T00:00:00Z", 1709251200.0),
        ("2024-03-01T00:00:00+08:00", 1709251200.0 - 8 * 3600),
        ("2024-03-01 00:00:00-0330", 1709251200.0 + 3.5 * 3600),
        ("2024-03-01T00:00:00.250+08", 1709251200.25 - 8 * 3600),
        ("2024-03-01 00:00", 1709251200.0 + 5 * 3600),  # naive: New York, UTC-5 in winter
        ("2024-07-01 00:00:00", 1719792000.0 + 4 * 3600),  # UTC-4 in summer
        ("2024/3/1", 1709251200.0 + 5 * 3600),
        ("1709251200", 1709251200.0),
        ("1709251200250", 1709251200.25),
        ("1709251200250000", 1709251200.25),
        ("2024-03-10 02:30:00", np.nan),  # the clocks skipped it
        ("2024-13-01", np.nan),
        ("soon", np.nan),
    ],
)
def test_times(workspace: Make, written: str, seconds: float) -> None:
    folder = workspace(
        impressions=f"user_id,item_id,ts,click\nu,i,{written},1\nu,i,2024-01-01T00:00:00Z,1\n",
        settings=f"{CLICK}[data]\ntimezone='America/New_York'\n",
    )
    log = read_log(folder)
    assert_array_equal(whole(log).ts, [seconds, 1704067200.0])
    told = [one.kind for one in log.report.bad]
    assert told == (["bad.time"] if np.isnan(seconds) else []) + (
        ["note.fine_epoch"] if len(written) > 11 and written.isdigit() else []
    )


def test_missing_users_and_times_of_an_archive(workspace: Make) -> None:
    folder = workspace(
        impressions="item_id,test,shown,clicks\na,t1,10,1\nb,t1,20,3\na,,5,1\n",
        settings=(
            "[data]\nuser=''\n[design]\nstratum='test'\n"
            "[outcomes.ctr]\ncolumn='clicks'\nkind='count'\ntrials='shown'\n"
        ),
    )
    log = read_log(folder)
    batch = whole(log)
    assert_array_equal(batch.user, [0, 0])
    assert len(log.users) == 1
    assert np.isnan(batch.ts).all()
    assert [axis.name for axis in log.clusters] == ["test"]
    assert (log.n_strata, log.n_rows) == (1, 2)
    assert kinds(log)["bad.missing_stratum", "impressions.csv, column test"][2] == "dropped"


def test_default_clusters(workspace: Make) -> None:
    rows = "user_id,item_id,ts,click\nu,i,1704067200,1\nv,i,1704067200,0\n"
    log = read_log(workspace(impressions=rows, settings=CLICK))
    assert [(axis.name, axis.n_clusters) for axis in log.clusters] == [
        ("user_id", 2),
        ("item_id", 1),
    ]


def test_parquet_parts_equal_one_csv(workspace: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(0, 500, 200_000),
            "item_id": rng.integers(0, 90, 200_000),
            "ts": 1_704_067_200 + np.arange(200_000),
            "click": rng.integers(0, 2, 200_000),
        }
    )
    folder = workspace(settings=CLICK)
    frame.write_csv(folder / "impressions.csv")
    from_csv = whole(read_log(folder))
    (folder / "impressions.csv").unlink()
    (folder / "impressions" / "day=2").mkdir(parents=True)
    frame[:70_000].write_parquet(folder / "impressions" / "day=1.parquet")
    frame[70_000:].write_parquet(folder / "impressions" / "day=2" / "part.parquet")
    log = read_log(folder)
    assert max(batch.n_rows for batch in log.batches()) <= 65_536
    from_parts = whole(log)
    for name in ("user", "item", "ts", "outcomes", "weights"):
        order = np.argsort(from_parts.ts)
        assert_array_equal(getattr(from_csv, name), getattr(from_parts, name)[order])


def test_store_is_reused_until_a_file_or_setting_changes(workspace: Make) -> None:
    folder = workspace(impressions="user_id,item_id,ts,click\nu,i,1704067200,1\n", settings=CLICK)
    read_log(folder)
    first = next((folder / "out" / "log").iterdir())
    written = (first / "impressions.arrow").stat().st_mtime_ns
    read_log(folder)
    assert (first / "impressions.arrow").stat().st_mtime_ns == written
    (folder / "impressions.csv").write_text("user_id,item_id,ts,click\nu,i,1704067200,0\nu,j,1,1\n")
    assert read_log(folder).n_rows == 2
    assert not first.exists()
    (folder / "tagcf.toml").write_text(CLICK.replace("binary", "real") + 'kind = "real"\n')
    assert read_log(folder).outcomes[0].kind == "real"
    assert len(list((folder / "out" / "log").iterdir())) == 1


def test_half_written_store_is_ignored_and_removed(workspace: Make) -> None:
    folder = workspace(impressions="user_id,item_id,ts,click\nu,i,1704067200,1\n", settings=CLICK)
    read_log(folder)
    home = folder / "out" / "log"
    store = next(home.iterdir())
    (store / "head.json").unlink()
    abandoned = home / "staging-999999999-abc"
    abandoned.mkdir()
    (abandoned / "impressions.arrow").write_bytes(b"half")
    assert read_log(folder).n_rows == 1
    assert not abandoned.exists()
    assert (store / "head.json").is_file()


def test_failed_reading_leaves_the_earlier_store(workspace: Make) -> None:
    folder = workspace(impressions="user_id,item_id,ts,click\nu,i,1704067200,1\n", settings=CLICK)
    read_log(folder)
    (store,) = (folder / "out" / "log").iterdir()
    (folder / "impressions.csv").write_text("user_id,item_id,ts,click\n")
    with pytest.raises(DataError, match="header but no rows"):
        read_log(folder)
    assert [one.name for one in (folder / "out" / "log").iterdir()] == [store.name]


def test_log_can_be_pickled_for_other_processes(workspace: Make) -> None:
    log = read_log(
        workspace(impressions="user_id,item_id,ts,click\nu,i,1704067200,1\n", settings=CLICK)
    )
    assert_array_equal(whole(pickle.loads(pickle.dumps(log))).item, [0])  # noqa: S301 - our own


def test_unknown_zone_suggests_one(workspace: Make) -> None:
    folder = workspace(
        impressions="user_id,item_id,ts,click\nu,i,1,1\n",
        settings=f"{CLICK}[data]\ntimezone='Asia/Shanghia'\n",
    )
    with pytest.raises(SettingsError, match="Asia/Shanghai"):
        read_log(folder)


def test_hour_needs_a_time(workspace: Make) -> None:
    folder = workspace(
        impressions="user_id,item_id,click\nu,i,1\n",
        settings=f"{CLICK}[design]\ncovariates=['hour']\n",
    )
    with pytest.raises(DataError, match=r"hour needs a time"):
        read_log(folder)


def test_one_stray_word_does_not_make_numbers_categories(workspace: Make) -> None:
    rows = "".join(f"u,i,{k},1,{'oops' if k == 50 else k}\n" for k in range(100))
    folder = workspace(
        impressions=f"user_id,item_id,ts,click,age\n{rows}",
        settings=f"{CLICK}[design]\ncovariates=['age']\n",
    )
    log = read_log(folder)
    assert log.covariates[0].kind == "number"
    assert kinds(log)["bad.wrong_type", "impressions.csv, column age"][1] == ("row 52: 'oops'",)


def test_item_tags(workspace: Make) -> None:
    folder = workspace(
        impressions="user_id,item_id,ts,click\nu,i,1,1\n",
        item_tags="item_id,tag,strength\ni,萌宠,0.4\ni,萌宠,0.9\ni,,1\n,x,1\nj,怀旧,2\nj,搞笑,\n",
        settings=CLICK,
    )
    tags = read_item_tags(open_workspace(folder))
    assert tags.columns == ["item_id", "tag", "strength", "source", "confidence"]
    assert tags.rows() == [
        ("i", "萌宠", pytest.approx(0.9), "file", 1.0),
        ("j", "搞笑", 1.0, "file", 1.0),
    ]


def test_frames_follow_the_log(workspace: Make) -> None:
    folder = workspace(
        impressions="user_id,item_id,ts,click\nu,b,1,1\nv,c,1,1\n",
        items="item_id,title\na,A\nb,B\n",
        users="user_id,age\nv,3\n",
        settings=CLICK,
    )
    opened = open_workspace(folder)
    assert item_frame(opened).rows() == [("a", "A"), ("b", "B"), ("c", None)]
    assert user_frame(opened).rows() == [("v", "3"), ("u", None)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.one_of(st.none(), st.text(min_size=1, max_size=3))), max_size=5))
def test_dictionary_numbers_texts_in_order_of_appearance(batches: list[list[str | None]]) -> None:
    dictionary = Dictionary()
    expected: dict[str, int] = {}
    for batch in batches:
        wanted = [-1 if one is None else expected.setdefault(one, len(expected)) for one in batch]
        assert_array_equal(dictionary.codes(pl.Series(batch, dtype=pl.String)), wanted)
    assert dictionary.texts().to_list() == list(expected)


def test_killed_run_leaves_the_earlier_store(workspace: Make) -> None:
    header = "user_id,item_id,ts,click\n"
    folder = workspace(impressions=header + "u,i,1704067200,1\n", settings=CLICK)
    read_log(folder)
    home = folder / "out" / "log"
    (before,) = home.iterdir()
    (folder / "impressions.csv").write_text(header + "u,i,2024-01-01T00:00:00Z,1\n" * 1_500_000)
    program = "import sys; from tagcf.data.read import read_log; read_log(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    deadline = time.monotonic() + 60
    while not list(home.glob("staging-*/impressions.arrow")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    (staged,) = home.glob("staging-*")
    assert (before / "head.json").is_file()
    assert not list(staged.glob("head.json"))
    assert read_log(folder).n_rows == 1_500_000
    assert not staged.exists()
