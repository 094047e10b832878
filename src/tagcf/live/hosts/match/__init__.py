"""Which hosts suit a viewer, and which viewers a host suits (主播匹配).

::

    past       past visits with what the viewer was after when they began
    effects    what watching owes to interest, the host, such viewers, and the two of them
    suit       the public verbs
"""

from tagcf.live.hosts.match.suit import HostMatcher, Match, fit_matcher, match_hosts, match_viewers

__all__ = ["HostMatcher", "Match", "fit_matcher", "match_hosts", "match_viewers"]
