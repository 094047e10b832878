"""Events from a broker that speaks Kafka's protocol (the extra `kafka`).

At least once: the broker is told that messages were taken only after the log's commit. What it
delivers again the log leaves out, by event id; an event without an id of its own gets
``topic/partition/offset`` (and its place in the message), which a delivery does not change.
"""

from tagcf.live.kafka.consume import Consumed, KafkaSource, consume

__all__ = ["Consumed", "KafkaSource", "consume"]
