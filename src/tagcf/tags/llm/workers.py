"""Threads that can be left alone: a person who ends a run doesn't wait for slow servers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """A pool of daemon threads.

    The standard library's pool is waited for when the interpreter ends, however long a server
    takes to answer.
    """

    def __init__(self, count: int) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[T], Callable[[], T]] | None] = (
            queue.SimpleQueue()
        )
        self._left = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"tagcf-llm-{k}", daemon=True)
            for k in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Queue a task; its result or exception comes with the future."""
        future: Future[T] = Future()
        self._tasks.put((future, task))
        return future

    def leave(self) -> None:
        """Begin no task that waits; those under way may end."""
        self._left.set()
        for _ in self._threads:
            self._tasks.put(None)

    def join(self) -> None:
        """Wait for the tasks under way; `leave` first."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (entry := self._tasks.get()) is not None:
            future, task = entry
            if self._left.is_set():
                future.cancel()
                continue
            try:
                future.set_result(task())
            except BaseException as error:
                future.set_exception(error)
