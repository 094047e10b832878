"""``tagcf live danmaku`` as people run it: bytes in, a JSON object a line out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMAND = [sys.executable, "-c", "from tagcf.cli import main; main()", "live", "danmaku"]
FIELDS = ["text", "sentiment", "emotion", "intent", "confidence"]
MORE = ["sentiment_confidence", "emotion_confidence"]


def run(data: bytes, *options: str) -> tuple[list[dict[str, object]], str, int]:
    done = subprocess.run(
        [*COMMAND, *options], input=data, capture_output=True, check=False, env=_env()
    )
    lines = done.stdout.decode("utf-8").split("\n")
    return (
        [json.loads(line) for line in lines if line],
        done.stderr.decode("utf-8"),
        done.returncode,
    )


def _env() -> dict[str, str]:
    return {**os.environ, "TAGCF_LANG": "en", "PYTHONIOENCODING": "utf-8"}


def test_one_object_a_line_in_order_with_broken_and_empty_lines() -> None:
    data = "\ufeff多少钱\r\n\nlink pls\n哈\u202e哈哈".encode() + b"\n\xff\x80ab\n" + "末行".encode()
    answers, told, code = run(data)
    assert code == 0
    assert [one["text"] for one in answers] == [
        *("多少钱", "", "link pls", "哈\u202e哈哈", "\ufffd\ufffdab", "末行")
    ]
    assert all(list(one) == FIELDS + MORE for one in answers)
    assert [one["intent"] for one in answers[:3]] == ["ask_price", "none", "ask_link"]
    assert (answers[1]["sentiment"], answers[1]["emotion"]) == ("neutral", "none")
    assert all(0 <= one[name] <= 1 for one in answers for name in [FIELDS[-1], *MORE])
    assert "Line 5 is not UTF-8" in told
    assert told.count("\n") == 1


def test_separators_within_a_line_do_not_part_it() -> None:
    answers, _, _ = run("一行\u2028还是\x85这行\x0b\x0c\n二\n".encode())
    assert len(answers) == 2
    assert answers[0]["text"] == "一行\u2028还是\x85这行\x0b\x0c"


def test_many_broken_lines_are_counted_and_a_huge_line_is_cut() -> None:
    answers, told, code = run(b"\xff\n" * 50 + b"a" * 3_000_000 + b"\n" + "多少钱\n".encode())
    assert code == 0
    assert len(answers) == 52
    assert answers[-1]["intent"] == "ask_price"
    assert len(str(answers[50]["text"])) == 1 << 20
    assert "31 more lines" in told


def test_nothing_in_nothing_out() -> None:
    assert run(b"") == ([], "", 0)


def test_pinyin_is_left_out_of_english() -> None:
    zh, _, _ = run(b"dsq\n", "--text-lang", "zh")
    en, _, _ = run(b"dsq\n", "--text-lang", "en")
    assert zh[0]["intent"] == "ask_price"
    assert zh[0]["confidence"] != en[0]["confidence"]


def test_a_wrong_option_is_a_usage_error() -> None:
    _, told, code = run(b"", "--using", "magic")
    assert code == 2
    assert "words" in told


def test_a_model_that_is_not_set_is_said(tmp_path: Path) -> None:
    (tmp_path / "tagcf.toml").write_text("", "utf-8")
    answers, told, code = run("多少钱\n".encode(), "--using", "llm", "--workspace", str(tmp_path))
    assert (answers, code) == ([], 2)
    assert "base_url" in told


def test_a_line_is_answered_before_more_comes_and_ctrl_c_ends_it() -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_env()
    ) as live:
        assert live.stdin is not None
        assert live.stdout is not None
        assert live.stderr is not None
        live.stdin.write("求链接\n".encode())
        live.stdin.flush()
        assert json.loads(live.stdout.readline())["intent"] == "ask_link"
        time.sleep(0.2)
        live.send_signal(signal.SIGINT)
        assert live.wait(60) == 130
        assert b"Traceback" not in live.stderr.read()


def test_a_closed_pipe_is_no_error() -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_env()
    ) as live:
        assert live.stdin is not None
        assert live.stdout is not None
        assert live.stderr is not None
        live.stdin.write("求链接\n".encode())
        live.stdin.flush()
        live.stdout.readline()
        live.stdout.close()
        live.stdin.write("多少钱\n".encode() * 10)
        live.stdin.close()
        assert live.wait(60) == 0
        assert b"Traceback" not in live.stderr.read()
