"""For the people who run live rooms: what held, what to do now, whom they suit, the next show.

::

    visits · measures    who saw which segment for how long, and what they did
    usual · compare      what is usual of such segments, and a ratio to it with an interval
    platform             all segments measured once
    shows · verdicts     timelines; false discovery rate and verdicts
    report               the host report
    subjects · questions what viewers ask and complain of
    guide                hints while a room is on air
    match                which hosts suit a viewer, and which viewers a host
    products · draft     the next show, from what worked
"""

from tagcf.live.hosts.answers import (
    Comparison,
    Figure,
    HostLine,
    HostReport,
    SegmentReport,
    Show,
    Standing,
)
from tagcf.live.hosts.measures import MEASURES
from tagcf.live.hosts.platform import Platform, measure_platform
from tagcf.live.hosts.report import list_hosts, report_host

__all__ = [
    "MEASURES",
    "Comparison",
    "Figure",
    "HostLine",
    "HostReport",
    "Platform",
    "SegmentReport",
    "Show",
    "Standing",
    "list_hosts",
    "measure_platform",
    "report_host",
]
