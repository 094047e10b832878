"""Fetch from a broker, keep, commit, and only then tell the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from tagcf.errors import MissingExtraError, ServerError
from tagcf.live.kafka.messages import Message, events_of
from tagcf.live.log import Appended
from tagcf.live.wire import BadEvents
from tagcf.text import say
from tagcf.types.live import LiveEvents

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka import Message as Fetched
    from confluent_kafka.admin._metadata import TopicMetadata


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """Where events come from.

    Parameters
    ----------
    servers
        ``host:port``, several with commas.
    start
        "committed": where the group is, or the earliest for a new group. "earliest", or offsets
        by partition: replay from there; the group's place then follows.
    messages, wait_s
        A fetch ends at so many messages or after so long, and is one commit.
    timeout_s
        How long the server may take for its first answer.
    options
        Further settings of librdkafka, such as ``security.protocol``.
    """

    servers: str
    topic: str
    group: str = "tagcf"
    start: Literal["committed", "earliest"] | Mapping[int, int] = "committed"
    messages: int = 10_000
    wait_s: float = 0.1
    timeout_s: float = 10.0
    options: Mapping[str, str] = field(default_factory=dict)


class Keeps(Protocol):
    """What events go into: a `LiveLog` or a `LiveStream`."""

    def append(self, events: LiveEvents) -> Appended:
        """Keep the new ones."""

    def commit(self) -> int:
        """Make everything kept durable."""


@dataclass(slots=True)
class Consumed:
    """What was fetched: messages, their events, and how many of these were repeats."""

    messages: int = 0
    events: int = 0
    repeated: int = 0


def consume(
    source: KafkaSource,
    into: Keeps,
    *,
    until: Callable[[Consumed], bool] = lambda _: False,
    skip_bad: BadEvents | None = None,
) -> Consumed:
    """Fetch events and keep them, until `until` says so after a fetch (an empty one too).

    Raises
    ------
    MissingExtraError
        confluent-kafka is not installed.
    ServerError
        The broker cannot be reached, or has no such topic.
    DataError
        A message cannot be read. Those before it were kept; the group stays in front of it.
    """
    consumer = _opened(source)
    done = Consumed()
    try:
        while not until(done):
            fetched = consumer.consume(source.messages, source.wait_s)
            if fetched:
                _take(consumer, _readable(fetched), into, skip_bad, done)
    finally:
        consumer.close()
    return done


def _take(
    consumer: Consumer,
    messages: list[Message],
    into: Keeps,
    skip_bad: BadEvents | None,
    done: Consumed,
) -> None:
    try:
        for events in events_of(messages, skip_bad):
            appended = into.append(events)
            done.events += len(events)
            done.repeated += len(events) - int(appended.fresh.sum())
    finally:
        into.commit()
    _tell(consumer, messages)
    done.messages += len(messages)


def _tell(consumer: Consumer, messages: Iterable[Message]) -> None:
    """Commit the place after the last message of each partition.

    Where the group's partitions were dealt out anew meanwhile, the broker refuses; whoever has
    them now gets these messages again, and leaves the events out as repeats.
    """
    from confluent_kafka import KafkaError, KafkaException, TopicPartition

    place = {(one.topic, one.partition): one.offset + 1 for one in messages}
    offsets = [TopicPartition(topic, part, at) for (topic, part), at in place.items()]
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as refused:
        moved = (
            KafkaError.REBALANCE_IN_PROGRESS,
            KafkaError.UNKNOWN_MEMBER_ID,
            KafkaError.ILLEGAL_GENERATION,
        )
        if refused.args[0].code() not in moved:
            raise ServerError("live_log.kafka_refused", detail=refused.args[0].str()) from refused


def _readable(fetched: Iterable[Fetched]) -> list[Message]:
    messages = []
    for one in fetched:
        error = one.error()
        if error is not None:
            raise ServerError("live_log.kafka_refused", detail=error.str())
        topic, partition, offset = one.topic(), one.partition(), one.offset()
        value = one.value() or b""
        if topic is None or partition is None or offset is None:
            continue
        messages.append(Message(topic, partition, offset, bytes(value)))
    return messages


def _check_topic(source: KafkaSource, topic: TopicMetadata) -> None:
    if topic.error is not None or not topic.partitions:
        raise ServerError("live_log.kafka_no_topic", topic=source.topic, servers=source.servers)


def _opened(source: KafkaSource) -> Consumer:
    try:
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
    except ImportError as missing:
        raise MissingExtraError(
            "error.missing_extra", extra="kafka", otherwise=say("live_log.without_kafka")
        ) from missing
    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": source.servers,
        "group.id": source.group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 2,
        **source.options,
    }
    consumer = Consumer(settings)
    try:
        topic = consumer.list_topics(source.topic, source.timeout_s).topics[source.topic]
        _check_topic(source, topic)
        if source.start == "committed":
            consumer.subscribe([source.topic])
        else:
            places = source.start if isinstance(source.start, Mapping) else {}
            consumer.assign(
                [
                    TopicPartition(source.topic, part, places.get(part, OFFSET_BEGINNING))
                    for part in topic.partitions
                ]
            )
    except KafkaException as refused:
        consumer.close()
        detail = refused.args[0].str()
        raise ServerError(
            "live_log.kafka_unreachable", servers=source.servers, detail=detail
        ) from refused
    except BaseException:
        consumer.close()
        raise
    return consumer
