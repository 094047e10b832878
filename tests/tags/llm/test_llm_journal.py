"""The journal: whole records only, whatever moment the process dies at."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagcf.errors import OutputError
from tagcf.tags.journal import Journal

RECORDS = {f"key {k}": {"text": f"第{k}条\n\u2028" + "x" * k, "k": k} for k in range(5)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "llm" / "answers.jsonl"


@pytest.fixture
def written(path):
    with Journal(path) as journal:
        for key, record in RECORDS.items():
            journal.put(key, record)
    return path.read_bytes()


def kept(path):
    with Journal(path) as journal:
        return {key: journal.get(key) for key in RECORDS if key in journal}, journal.dropped


def test_records_come_back(path, written):
    assert kept(path) == (RECORDS, 0)
    assert written.count(b"\n") == 5
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_file_cut_at_any_byte_keeps_every_whole_record(path, written):
    ends = [k for k, byte in enumerate(written, start=1) if byte == ord("\n")]
    for cut in range(len(written) + 1):
        path.write_bytes(written[:cut])
        whole = sum(end <= cut for end in ends)
        found, dropped = kept(path)
        assert found == dict(list(RECORDS.items())[:whole])
        assert dropped == int(cut not in {0, *ends})
        with Journal(path) as journal:
            journal.put("key 4", RECORDS["key 4"])  # goes on after a half line was dropped
        assert "key 4" in kept(path)[0]
        assert kept(path)[1] == 0


def test_a_damaged_byte_costs_its_own_record_alone(path, written):
    draw = random.Random(1)
    for _ in range(200):
        at = draw.randrange(len(written))
        damaged = bytearray(written)
        damaged[at] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        found, _ = kept(path)
        assert len(found) >= 3  # a line break changed joins two records
        assert all(found[key] == RECORDS[key] for key in found)


def test_the_newest_record_of_a_key_counts(path):
    with Journal(path) as journal:
        journal.put("a", {"n": 1})
        journal.put("a", {"n": 2})
        assert journal.get("a") == {"n": 2}
        assert journal.get("b") is None
    with Journal(path) as journal:
        assert (journal.get("a"), len(journal)) == ({"n": 2}, 1)


def test_many_writers_in_one_process(path):
    with Journal(path) as journal, ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda k: journal.put(f"k{k}", {"k": k, "x": "y" * k}), range(300)))
    with Journal(path) as journal:
        assert (len(journal), journal.dropped) == (300, 0)
        assert all(journal.get(f"k{k}")["k"] == k for k in range(300))


def test_a_second_process_is_told_to_wait(path):
    with Journal(path):
        code = "import pathlib, sys; from tagcf.tags.journal import Journal; "
        code += "Journal(pathlib.Path(sys.argv[1]))"
        command = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is in use by another tagcf" in done.stderr
    with Journal(path):
        pass


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "llm").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be read or written"):
        Journal(tmp_path / "llm" / "answers.jsonl")


def test_a_full_disk_leaves_the_journal_whole(path):

    code = f"""
import resource, signal
from pathlib import Path
from tagcf.errors import OutputError
from tagcf.tags.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))
journal = Journal(Path({str(path)!r}))
journal.put("key 0", {RECORDS["key 0"]!r})
try:
    journal.put("big", {{"x": "y" * 1000}})
except OutputError as error:
    print(error)
journal.put("key 1", {RECORDS["key 1"]!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert kept(path) == ({key: RECORDS[key] for key in ("key 0", "key 1")}, 0)
