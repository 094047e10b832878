"""Events kept, each once, in the order of arrival; days of them as Parquet.

::

    log/events.sqlite   SQLite in WAL mode: a row per batch; see `store`
    log/writer.lock     held by the process that writes
    days/day=2026-11-23/part-…parquet

`LiveLog` is the whole of it; `docs/decisions/0014-live-log.md` says what can be lost and when.
"""

from tagcf.live.log.log import Appended, GroupCommit, LiveLog, LogCounts

__all__ = ["Appended", "GroupCommit", "LiveLog", "LogCounts"]
