"""A batch is killed at random moments: no finished call is repeated, none is lost."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from llm_requests import ITEMS, requests, small_requests
from llm_servers import Reply, completion

from tagcf.errors import ServerError
from tagcf.tags.journal import Journal
from tagcf.tags.llm.batch import ask_all
from tagcf.tags.llm.ways import Dialect, Way

WORKERS = 8

RUN = """
import sys
from pathlib import Path
import llm_requests
from tagcf.tags.llm.batch import ask_all
from tagcf.tags.llm.client import Client
from tagcf.tags.journal import Journal
from tagcf.tags.llm.server import Server

address, path, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
requests = getattr(llm_requests, sys.argv[4])
with Client(Server(address, "tiny", concurrency=workers)) as client, Journal(path) as journal:
    outcomes = list(ask_all(client, requests(), journal))
    account = client.account
assert all(one.answer is not None and one.failure is None for one in outcomes)
print(account.items, account.cached, account.calls)
"""


def item_of(body):
    return int(re.search(r"第(\d+)号", body["messages"][1]["content"])[1])


def test_kill_and_restart(scripted, connect, tmp_path):
    server = scripted(lambda body, number: completion('{"tags": []}'))
    path = tmp_path / "answers.jsonl"
    command = [sys.executable, "-c", RUN, server.address, str(path), str(WORKERS), "requests"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    draw = random.Random(20_261_123)
    journalled: set[int] = set()
    repeated = 0
    for _ in range(3):
        asked_before = len(server.asked)
        run = subprocess.Popen(command, env=environment, start_new_session=True)
        stop_at = asked_before + draw.randrange(20, 320)
        while len(server.asked) < stop_at and run.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.random() * 0.02)
        os.kill(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        time.sleep(0.1)  # requests that had left by then are counted, too
        sent = [item_of(body) for body in server.asked[asked_before:]]
        assert not journalled & set(sent), "a finished call was repeated"
        assert len(sent) == len(set(sent))
        finished = records(path)
        assert journalled <= finished, "a finished call was lost"
        # Under way when it was killed: at most one a worker.
        repeated += len(set(sent) - finished)
        assert len(set(sent) - finished) <= WORKERS
        journalled = finished
    for cached in (len(journalled), ITEMS):
        with Journal(path) as journal:
            client = connect(server.address, concurrency=WORKERS)
            outcomes = list(ask_all(client, requests(), journal))
        assert all(one.answer is not None for one in outcomes)
        assert (client.account.items, client.account.cached) == (ITEMS, cached)
        assert client.account.calls == ITEMS - cached
    assert len(server.asked) == ITEMS + repeated


def test_kill_and_restart_with_llama(llama, connect, tmp_path):
    path = tmp_path / "answers.jsonl"
    command = [sys.executable, "-c", RUN, llama, str(path), "4", "small_requests"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.Popen(command, env=environment, start_new_session=True)
    while not path.is_file() or path.read_bytes().count(b"\n") < 20:
        time.sleep(0.001)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    with Journal(path) as journal:
        finished = len(journal)
        assert 20 <= finished < 100
        client = connect(llama, concurrency=4)
        outcomes = list(ask_all(client, small_requests(), journal))
    assert [one.cached for one in outcomes].count(True) == finished
    assert client.account.items + client.account.failed == 100
    assert client.account.calls - client.account.resent == 100 - finished


def records(path):
    """Items whose answer is in the journal, as the kill left it."""
    with Journal(path) as journal:
        assert journal.dropped <= 1
        return {k for k, one in enumerate(requests()) if one.key("tiny") in journal}


def test_leaving_early_keeps_what_was_answered(scripted, connect, tmp_path):
    server = scripted(lambda body, number: completion('{"tags": []}'))
    with Journal(tmp_path / "j") as journal:
        client = connect(server.address, concurrency=2)
        outcomes = ask_all(client, requests(), journal)
        assert next(outcomes).answer is not None
        outcomes.close()
        assert len(server.asked) < 50
        assert len(list(ask_all(client, requests(), journal))) == ITEMS
    assert len(server.asked) == ITEMS


def test_equal_requests_are_sent_once(scripted, connect):
    server = scripted(lambda body, number: completion('{"tags": []}'))
    client = connect(server.address, concurrency=4)
    outcomes = list(ask_all(client, [requests()[0]] * 20))
    assert all(one.answer is not None for one in outcomes)
    assert len(server.asked) < 5  # without a journal, one sent after the first came back is new
    assert client.account.items == 20


def test_equal_items_are_no_earlier_run(scripted, connect, tmp_path):
    server = scripted(lambda body, number: completion('{"tags": []}'))
    twice = [*requests()[:30], *requests()[:30]]
    with Journal(tmp_path / "j") as journal:
        first, second = (connect(server.address) for _ in range(2))
        list(ask_all(first, twice, journal))
        list(ask_all(second, twice, journal))
    assert (first.account.items, first.account.cached, first.account.equal) == (60, 0, 30)
    assert (second.account.items, second.account.cached, second.account.equal) == (60, 60, 0)
    assert len(server.asked) == 30


def test_equal_items_are_one_failure(scripted, connect):
    def slow_no(body, number):
        time.sleep(0.2)
        return Reply(400, {"error": "content policy"})

    client = connect(scripted(slow_no).address, retries=0, concurrency=1)
    outcomes = list(ask_all(client, [requests()[0]] * 8 * 4))
    assert client.account.failed == 32
    assert all(one.failure is not None for one in outcomes)


def test_order_is_kept_and_progress_told(scripted, connect, tmp_path):
    def slow_first(body, number):
        time.sleep(0.3 if item_of(body) == 0 else 0)
        return completion(json.dumps({"tags": [{"n": item_of(body)}]}))

    told = []
    client = connect(scripted(slow_first).address, concurrency=4)
    outcomes = ask_all(client, requests()[:30], report=told.append)
    assert [json.loads(one.answer.text)["tags"][0]["n"] for one in outcomes] == list(range(30))
    assert [one.done for one in told] == list(range(1, 31))
    assert told[-1].account.items == 30


def test_no_more_are_under_way_than_the_settings_say(scripted, connect):
    lock, now, most = threading.Lock(), 0, 0

    def count(body, number):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return completion('{"tags": []}')

    client = connect(scripted(count).address, concurrency=3)
    assert len(list(ask_all(client, requests()[:40]))) == 40
    assert most == 3


def test_the_next_run_begins_the_way_that_worked(scripted, connect, tmp_path):
    def picky(body, number):
        if "response_format" in body:
            return Reply(400, {"error": "response_format is not supported"})
        return completion('{"tags": []}')

    server = scripted(picky)
    with Journal(tmp_path / "j") as journal:
        list(ask_all(connect(server.address), requests()[:1], journal))
    assert len(server.asked) == 3
    with Journal(tmp_path / "j") as journal:
        client = connect(server.address)
        list(ask_all(client, requests()[1:2], journal))
        assert client.dialect == Dialect(Way.PROMPT, proven=True)
        blind = replace(client.dialect, sees=False)
        journal.put(f"dialect {server.address} tiny", blind.to_record())
        later = connect(server.address)
        list(ask_all(later, requests()[2:3], journal))
    assert later.dialect.sees  # the server may have learnt to see since
    assert len(server.asked) == 5


def test_unusable_answers_are_kept_as_such_and_failures_of_the_server_are_not(
    scripted, connect, tmp_path
):
    def answer(body, number):
        if item_of(body) == 0:
            return completion("no")
        return Reply(500, {"error": "out of memory"}) if number < 9 else completion('{"tags": []}')

    server = scripted(answer)
    with Journal(tmp_path / "j") as journal:
        client = connect(server.address, retries=0, concurrency=1)
        first = list(ask_all(client, requests()[:2], journal))
        assert [one.failure.key for one in first] == ["llm.no_json", "llm.server_failed"]
        asked = len(server.asked)
        server.asked.extend([server.asked[0]] * 10)  # from now on all is well
        second = list(ask_all(client, requests()[:2], journal))
    assert [one.cached for one in second] == [True, False]
    assert str(second[0].failure) == str(first[0].failure)
    assert second[1].answer is not None
    assert len(server.asked) == asked + 10 + 1


def test_a_run_of_failures_ends_the_batch(scripted, connect, tmp_path):
    server = scripted(lambda body, number: Reply(503, {"error": "down for maintenance"}))
    with Journal(tmp_path / "j") as journal:
        client = connect(server.address, retries=0)
        with pytest.raises(ServerError, match=r"20 items in a row.*down for maintenance"):
            list(ask_all(client, requests(), journal))
        assert len(journal) == 0
    assert len(server.asked) < 60


def test_a_fatal_error_ends_the_batch_at_once(scripted, connect):
    server = scripted(lambda body, number: Reply(401, {"error": "bad key"}))
    with pytest.raises(ServerError, match="refused the key"):
        list(ask_all(connect(server.address), requests()))
    assert len(server.asked) <= 8


def test_ctrl_c_is_not_kept_waiting_by_a_slow_server(scripted, tmp_path):
    def slow(body, number):
        time.sleep(20 if number >= 4 else 0)
        return completion('{"tags": []}')

    server = scripted(slow)
    path = tmp_path / "answers.jsonl"
    command = [sys.executable, "-c", RUN, server.address, str(path), "4", "requests"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.Popen(
        command, env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    while len(server.asked) < 8:
        time.sleep(0.01)
    start = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    told = run.communicate()[1]
    assert time.monotonic() - start < 8
    assert told.rstrip().endswith("KeyboardInterrupt")
    with Journal(path) as journal:
        assert len([one for one in requests() if one.key("tiny") in journal]) == 4
