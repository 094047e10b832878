"""How fast requests may leave: a token bucket, pauses that a server asks for, waits to retry."""

from __future__ import annotations

import math
import threading
import time
from email.utils import parsedate_to_datetime

import numpy as np

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
PATIENCE_S = 300.0  # a server that asks for a longer pause than this is not waited for


class Stopped(Exception):  # noqa: N818 - no error: the run was told to end
    """The run ends; nothing more is sent."""


class Pace:
    """Requests per minute as a token bucket, shared by all workers.

    A second's worth of requests may leave at once. While a server has asked for a pause, none
    leaves.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._rate = None if per_minute is None else per_minute / 60
        self._room = 1.0 if self._rate is None else max(1.0, self._rate)
        self._tokens, self._filled = self._room, time.monotonic()
        self._resume = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._draw = np.random.default_rng()

    def wait_turn(self) -> None:
        """Block until a request may leave.

        Raises
        ------
        Stopped
            `stop` was called.
        """
        with self._lock:
            now = time.monotonic()
            wait = max(0.0, self._resume - now)
            if self._rate is not None:
                grown = self._tokens + (now - self._filled) * self._rate
                self._tokens, self._filled = min(self._room, grown) - 1, now
                wait = max(wait, -self._tokens / self._rate)
        self.sleep(wait)
        if (rest := self._resume - time.monotonic()) > 0:  # a pause was asked for meanwhile
            self.sleep(rest)

    def pause(self, seconds: float) -> None:
        """Let no request leave for so long: the server asked for it."""
        with self._lock:
            self._resume = max(self._resume, time.monotonic() + seconds)

    def backoff(self, attempt: int) -> float:
        """Seconds before attempt number 1, 2, …: exponential with full jitter."""
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1))
        with self._lock:
            return float(self._draw.uniform(0, longest))

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `Stopped` as soon as the run ends."""
        if self._stop.wait(max(seconds, 0.0)) or self._stop.is_set():
            raise Stopped

    def stop(self) -> None:
        """End all waiting."""
        self._stop.set()


def seconds_to_wait(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date; ``None`` if neither."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, OverflowError, OSError):
            return None
    return None if math.isnan(seconds) else max(seconds, 0.0)
