"""Which encoding a file has: flawed UTF-8 must not pass for GBK."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tagcf.data.encoding import detect_encoding
from tagcf.errors import DataError

PROSE = (
    "轻松幽默的萌宠互动视频，配上怀旧音乐，让人想起小时候。都市逃离感强烈的乡村风景，"
    "加上温柔的旁白，很多用户看完之后会连续点赞、评论，并在一周之内回来。"
)


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_flawed_utf8_is_an_error_not_gbk(tmp_path: Path, cut: int) -> None:
    whole = PROSE.encode()
    broken = whole[:cut] + whole[cut + 1 :]
    (tmp_path / "a.csv").write_bytes(broken)
    with pytest.raises(UnicodeDecodeError) as python:
        broken.decode()
    with pytest.raises(DataError) as ours:
        detect_encoding(tmp_path / "a.csv")
    assert ours.value.facts["offset"] == python.value.start


@pytest.mark.parametrize("length", [1, 2, 5, 20, len(PROSE)])
def test_gbk_is_found_in_short_texts(tmp_path: Path, length: int) -> None:
    (tmp_path / "b.csv").write_bytes(f"item_id,title\n1,{PROSE[:length]}\n".encode("gbk"))
    assert detect_encoding(tmp_path / "b.csv") == "gb18030"


def test_a_late_flaw_in_a_large_packed_file(tmp_path: Path) -> None:
    start = PROSE.encode() * 30_000  # more than one chunk
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(start + b"\xff" + start[:30], 1))
    with pytest.raises(DataError) as ours:
        detect_encoding(tmp_path / "a.csv.gz")
    assert ours.value.facts["offset"] == len(start)


def test_chosen_encoding_is_checked(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(PROSE.encode("gbk"))
    assert detect_encoding(tmp_path / "a.csv", "gbk") == "gbk"
    with pytest.raises(DataError):
        detect_encoding(tmp_path / "a.csv", "ascii")
