"""tagcf import: each connector on the real data, and on small files in its other layouts."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tagcf.data.read import read_log
from tagcf.data.tables import item_frame, read_item_tags
from tagcf.data.workspace import open_workspace
from tagcf.settings import load_settings
from tagcf.types import EventLog

Run = Callable[..., object]


def imported(run: Run, name: str, path: Path, folder: Path) -> tuple[EventLog, str]:
    done = run("import", name, path, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert run("check", folder).returncode == 0
    return read_log(folder), done.stderr


def columns(log: EventLog) -> tuple[np.ndarray, np.ndarray]:
    batches = list(log.batches())
    return (
        np.concatenate([batch.outcomes for batch in batches]),
        np.concatenate([batch.weights for batch in batches]),
    )


def test_upworthy(run: Run, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "upworthy" / "upworthy_dev.csv.gz"
    folder = tmp_path / "w"
    log, told = imported(run, "upworthy", source, folder)
    raw = pl.read_csv(source)
    sound = raw.filter(pl.col("randomization_suspect") == 0)
    assert (log.n_rows, log.n_strata) == (12_714, 2_632)
    assert f"{raw.height - 12_714} rows left out" in told
    values, weights = columns(log)
    assert weights.sum() == sound["impressions"].sum()
    assert (values * weights).sum() == pytest.approx(sound["clicks"].sum())
    assert [axis.name for axis in log.clusters] == ["clickability_test_id"]
    arms = sound.n_unique(["clickability_test_id", "headline", "eyecatcher_id"])
    assert len(log.items) == arms
    for name in ("impressions.csv", "items.csv"):
        assert "winner" not in (folder / name).read_text("utf-8").splitlines()[0]
    settings = load_settings(folder)
    assert settings.tags.surface
    assert settings.content.text == ["headline"]
    assert item_frame(open_workspace(folder))["headline"].null_count() == 0


def test_upworthy_without_the_mark_goes_by_week(run: Run, tmp_path: Path) -> None:
    header = "clickability_test_id,test_week,headline,excerpt,eyecatcher_id,impressions,clicks\n"
    rows = "t,201310,A,e,1,10,1\nt,201310,B,e,1,10,2\nu,201330,C,e,1,10,3\n"
    source = tmp_path / "archive.csv.gz"
    source.write_bytes(gzip.compress((header + rows).encode()))
    log, told = imported(run, "upworthy", source, tmp_path / "w")
    assert log.items.ids.to_pylist() == ["t-1", "t-2"]
    assert "1 rows left out" in told


def test_coat(run: Run, shared_data: Path, tmp_path: Path) -> None:
    log, _ = imported(run, "coat", shared_data / "coat", tmp_path / "w")
    values, _ = columns(log)
    is_random = np.concatenate([batch.randomized for batch in log.batches()])
    p = np.concatenate([batch.propensity for batch in log.batches()])
    assert (int((~is_random).sum()), int(is_random.sum())) == (6_960, 4_640)
    # Means as in the data set's own notes.
    assert values[~is_random].mean() == pytest.approx(2.611, abs=5e-4)
    assert values[is_random].mean() == pytest.approx(2.229, abs=5e-4)
    assert p[is_random] == pytest.approx(16 / 300)
    known = np.load(shared_data / "coat" / "propensities.npz")["p"]
    first = next(log.batches())
    user = np.array(log.users.ids.to_pylist()).astype(int)[first.user]
    item = np.array(log.items.ids.to_pylist()).astype(int)[first.item]
    chosen = ~first.randomized
    assert first.propensity[chosen] == pytest.approx(known[user, item][chosen])
    tags = read_item_tags(open_workspace(tmp_path / "w"))
    hot = np.loadtxt(shared_data / "coat" / "item_features.ascii")
    assert tags.height == hot.sum()
    assert tags["tag"].n_unique() == hot.shape[1]
    assert [segment.name for segment in log.segments] == ["gender", "age"]


def test_kuairand_sample_warns(run: Run, shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log, told = imported(run, "kuairand", shared_data / "kuairand_pure_sub", folder)
    assert "liked or hated rows" in told
    assert "log_random" in told
    assert "no causal claims" in str(load_settings(folder).data.title)
    assert (log.n_rows, log.has_randomized) == (5_000, False)
    tags = read_item_tags(open_workspace(folder))
    assert tags["tag"].n_unique() == 46
    assert tags["tag"].str.starts_with("kuairand-tag-").all()
    shown = run("check", folder, "--lang", "zh").stdout
    assert "没有随机曝光的行" in shown
    assert "内容不在 items.* 里" in shown


def kuairand_folder(root: Path) -> Path:
    """Make two logs, users and videos in the public layout, a few rows each."""
    header = (
        "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,"
        "is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,"
        "is_profile_enter,is_rand,tab\n"
    )
    row = "{u},{v},20220422,800,1650585600000,{c},0,0,0,0,0,1,1500,9000,0,0,0,{r},1\n"
    data = root / "KuaiRand-Pure" / "data"
    data.mkdir(parents=True)
    standard = [row.format(u=k % 3, v=k % 5, c=k % 2, r=0) for k in range(20)]
    drawn = [row.format(u=k % 3, v=k % 5, c=1, r=1) for k in range(7)]
    (data / "log_standard_4_08_to_4_21_pure.csv").write_text(header + "".join(standard[:10]))
    (data / "log_standard_4_22_to_5_08_pure.csv").write_text(header + "".join(standard[10:]))
    (data / "log_random_4_22_to_5_08_pure.csv").write_text(header + "".join(drawn))
    (data / "user_features_pure.csv").write_text(
        "user_id,user_active_degree\n0,full_active\n1,high_active\n2,full_active\n"
    )
    (data / "video_features_basic_pure.csv").write_text(
        "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,tag\n"
        '0,9,NORMAL,2022-04-10,X,0,9000,"39,5"\n1,9,AD,2022-04-10,X,0,,\n'
        "2,8,NORMAL,2022-04-10,X,0,5000,5\n3,8,NORMAL,2022-04-10,X,0,5000,5\n"
        "4,8,NORMAL,2022-04-10,X,0,5000,5\n"
    )
    (data / "video_features_statistic_pure.csv").write_text("video_id,play_cnt\n0,9\n")
    return root


def test_kuairand_public_layout(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log, told = imported(run, "kuairand", kuairand_folder(tmp_path / "source"), folder)
    assert "Warning" not in told
    first = next(log.batches())
    assert (log.n_rows, int(first.randomized.sum())) == (27, 7)
    assert first.ts[0] == 1_650_585_600
    # 08:00 in Shanghai, where the log was written.
    assert log.covariates[0].levels[int(first.covariates[0, 0])] == "8"
    assert {one.name for one in log.covariates} == {
        "hour",
        "tab",
        "duration_s",
        "user_active_degree",
    }
    assert log.n_authors == 2
    tags = read_item_tags(open_workspace(folder)).select("item_id", "tag").rows()
    assert ("0", "kuairand-tag-39") in tags
    assert len(tags) == 5


def test_movielens_recbole(run: Run, shared_data: Path, tmp_path: Path) -> None:
    log, _ = imported(run, "movielens", shared_data / "ml_100k", tmp_path / "w")
    assert (log.n_rows, len(log.users), len(log.items)) == (100_000, 943, 1_682)
    liked, rating = columns(log)[0].T
    assert np.array_equal(liked == 1, rating >= 4)
    tags = read_item_tags(open_workspace(tmp_path / "w"))
    toy_story = tags.filter(pl.col("item_id") == "1")["tag"].to_list()
    assert toy_story == ["Animation", "Children's", "Comedy"]


def test_movielens_original_and_csv_layouts(run: Run, tmp_path: Path) -> None:
    original = tmp_path / "ml-100k"
    original.mkdir()
    (original / "u.data").write_text("1\t1\t5\t881250949\n2\t1\t3\t881250950\n")
    flags = "|".join("1" if k in (3, 5) else "0" for k in range(19))
    (original / "u.item").write_bytes(
        f"1|Café Story (1995)|01-Jan-1995||http://x|{flags}\n".encode("latin-1")
    )
    (original / "u.user").write_text("1|24|M|technician|85711\n2|53|F|other|94043\n")
    log, _ = imported(run, "movielens", original, tmp_path / "a")
    assert columns(log)[0].tolist() == [[1, 5], [0, 3]]
    opened = open_workspace(tmp_path / "a")
    assert item_frame(opened).rows() == [("1", "Café Story", "1995")]
    assert read_item_tags(opened)["tag"].to_list() == ["Animation", "Comedy"]
    later = tmp_path / "ml-latest"
    later.mkdir()
    (later / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.5,1225734739\n")
    (later / "movies.csv").write_text(
        'movieId,title,genres\n1,"Toys, The (1995)",Comedy|War\n2,Odd,(no genres listed)\n'
    )
    log, _ = imported(run, "movielens", later, tmp_path / "b")
    assert columns(log)[0].tolist() == [[1, 4.5]]
    opened = open_workspace(tmp_path / "b")
    assert item_frame(opened).rows() == [("1", "Toys, The", "1995"), ("2", "Odd", None)]
    assert read_item_tags(opened)["tag"].to_list() == ["Comedy", "War"]


def test_lastfm(run: Run, shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log, _ = imported(run, "lastfm", shared_data / "lastfm_hetrec", folder)
    assert (log.n_rows, len(log.users), len(log.items)) == (92_834, 1_892, 17_632)
    assert not [one for one in log.report.bad if one.kind == "bad.unknown_item"]
    tags = read_item_tags(open_workspace(folder))
    assert tags["tag"].n_unique() == 9_749
    assert tags["strength"].max() == 1
    assert tags["strength"].min() > 0
    assert pl.read_csv(folder / "social.csv").height == 25_434


def test_s3rec(run: Run, shared_data: Path, tmp_path: Path) -> None:
    log, _ = imported(run, "s3rec", shared_data / "s3rec_seq" / "Beauty.txt", tmp_path / "w")
    assert (log.n_rows, len(log.users), len(log.items)) == (198_502, 22_363, 12_101)
    first = next(log.batches())
    # Line 1 of the file: 1 1 2 3 4 5
    assert [log.items[one] for one in first.item[:5]] == ["1", "2", "3", "4", "5"]
    assert first.ts[:6].tolist() == [1, 2, 3, 4, 5, 1]
    tags = read_item_tags(open_workspace(tmp_path / "w"))
    assert tags.filter(pl.col("item_id") == "4")["tag"].to_list() == [
        "beauty-attribute-1",
        "beauty-attribute-2",
        "beauty-attribute-3",
    ]


@pytest.mark.parametrize("name", ["upworthy", "coat", "kuairand", "movielens", "lastfm", "s3rec"])
def test_wrong_source_leaves_nothing_behind(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for source, code, named in (("empty", 1, name), ("nowhere", 2, "nowhere")):
        done = run("import", name, tmp_path / source, tmp_path / "w")
        assert done.returncode == code
        assert named in done.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty"]


def test_wrong_layout_names_the_column(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("headline,clicks\nx,1\n")
    done = run("import", "upworthy", tmp_path / "a.csv", tmp_path / "w", "--lang", "zh")
    assert done.returncode == 1
    assert "缺少 clickability_test_id 列" in done.stderr


def test_full_folder_needs_force(run: Run, tmp_path: Path) -> None:
    source = kuairand_folder(tmp_path / "source")
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "impressions.csv").write_text("old")
    done = run("import", "kuairand", source, folder)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert (folder / "impressions.csv").read_text() == "old"
    assert run("import", "kuairand", source, folder, "--force").returncode == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert read_log(folder).n_rows == 27


def test_unknown_name_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert run("import", "netflix", tmp_path, tmp_path / "w").returncode == 2
