"""Many requests: those answered before come from the journal, the others from the server.

Workers send side by side; each writes its answer to the journal before it takes the next, so
that a run killed at any point has lost nothing but the requests under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from tagcf.errors import RefusedError, ServerError
from tagcf.tags.journal import Journal
from tagcf.tags.llm.account import Account, Usage
from tagcf.tags.llm.client import Answer, Client, reason_of
from tagcf.tags.llm.failures import Trouble
from tagcf.tags.llm.pace import Stopped
from tagcf.tags.llm.request import Request
from tagcf.tags.llm.ways import Dialect
from tagcf.tags.llm.workers import Workers
from tagcf.types import Reason

ANSWERS = Path("llm") / "answers.jsonl"  # journal of answers, below out/
AHEAD = 8  # requests per worker that are prepared, so that one slow answer holds up no other
HEARING_S = 0.2
GIVE_UP = 20  # items in a row without an answer after which nothing more is sent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request: an answer, or the reason why there is none."""

    request: Request
    answer: Answer | None = None
    failure: Reason | None = None
    cached: bool = False  # an earlier run had asked
    equal: bool = False  # this run had asked the same before


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    done: int
    account: Account


Report = Callable[[Progress], None]


def ask_all(
    client: Client,
    requests: Iterable[Request],
    journal: Journal | None = None,
    report: Report | None = None,
) -> Iterator[Outcome]:
    """Ask many requests.

    Parameters
    ----------
    requests
        Taken one by one as workers come free, so that a million need not be in memory.
    journal
        Where answers are looked up and kept. Of equal requests one is sent.
    report
        Called after every item.

    Yields
    ------
    One outcome per request, in their order.

    Raises
    ------
    ServerError
        No request can be answered (unreachable, key refused, model unknown), or `GIVE_UP`
        items in a row were not. What was answered is in the journal.
    """
    batch = _Batch(client, journal)
    if journal is not None:
        client.recall(_remembered(client, journal))
    workers: Workers[Outcome] = Workers(client.server.concurrency)
    waiting: deque[_UnderWay] = deque()
    finished = 0
    interrupted = False
    try:
        for request in chain(requests, [None]):
            if request is not None:
                waiting.append(batch.start(workers, request))
            room = AHEAD * client.server.concurrency if request is not None else 0
            while waiting and (len(waiting) > room or waiting[0].future.done()):
                yield batch.finish(waiting.popleft())
                finished += 1
                if report is not None:
                    report(Progress(finished, client.account))
    except ServerError:
        client.stop()  # requests under way may still end well; none is sent again
        raise
    except KeyboardInterrupt:
        client.stop()
        interrupted = True
        raise
    finally:
        workers.leave()
        if not interrupted:
            workers.join()
        if journal is not None:
            _remember(client, journal)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    key: str
    request: Request
    future: Future[Outcome]
    equal: bool = False


class _Batch:
    """Requests under way, and the failures in a row."""

    def __init__(self, client: Client, journal: Journal | None) -> None:
        self.client, self.journal = client, journal
        self.under_way: dict[str, Future[Outcome]] = {}
        self.sent: set[str] = set()
        self.failures = 0
        self.fatal: ServerError | None = None

    def start(self, workers: Workers[Outcome], request: Request) -> _UnderWay:
        """Look a request up, join it to an equal one under way, or send it."""
        key = request.key(self.client.server.model)
        kept = None if self.journal is None else self.journal.get(key)
        if kept is not None:
            known: Future[Outcome] = Future()
            equal = key in self.sent
            known.set_result(replace(_of_record(request, kept), cached=not equal))
            return _UnderWay(key, request, known, equal)
        twin = self.under_way.get(key)
        if twin is not None:
            return _UnderWay(key, request, twin, equal=True)
        self.sent.add(key)
        self.under_way[key] = workers.submit(partial(self._work, key, request))
        return _UnderWay(key, request, self.under_way[key])

    def finish(self, one: _UnderWay) -> Outcome:
        """Wait for an outcome and count it."""
        while not one.future.done():  # in short waits, so that Ctrl-C is heard on every system
            wait([one.future], HEARING_S)
        try:
            outcome = one.future.result()
        except Stopped:
            if self.fatal is not None:  # another worker found out first
                raise self.fatal from None
            raise
        self.under_way.pop(one.key, None)
        outcome = replace(outcome, equal=one.equal)
        answered = outcome.answer is not None
        self.client.ledger.add(
            items=int(answered),
            failed=int(not answered),
            cached=int(answered and outcome.cached),
            equal=int(answered and outcome.equal),
        )
        if outcome.cached or outcome.equal:
            return outcome
        self.failures = 0 if answered else self.failures + 1
        if self.failures >= GIVE_UP:
            detail = str(outcome.failure)
            raise ServerError("llm.gave_up", count=self.failures, detail=detail)
        return outcome

    def _work(self, key: str, request: Request) -> Outcome:
        try:
            answer = self.client.ask(request)
        except RefusedError as error:
            reason = reason_of(error)
            if self.journal is not None and error.key == Trouble.NO_JSON.value:
                # Answered, if without use: it cost money and would come out the same again.
                self.journal.put(key, {"failure": [reason.key, dict(reason.facts)]})
            return Outcome(request, failure=reason)
        except ServerError as error:
            self.fatal = error
            self.client.stop()  # or the others would each find out for themselves
            raise
        if self.journal is not None:
            self.journal.put(key, {"answer": asdict(answer), "task": request.task})
        return Outcome(request, answer)


def _of_record(request: Request, record: dict[str, Any]) -> Outcome:
    """Read an outcome back from the journal."""
    if "failure" in record:
        key, facts = record["failure"]
        return Outcome(request, failure=Reason(key, tuple(facts.items())))
    values = record["answer"]
    return Outcome(request, Answer(**{**values, "usage": Usage(**values["usage"])}))


def _place(client: Client) -> str:
    return f"dialect {client.server.base_url} {client.server.model}"


def _remembered(client: Client, journal: Journal) -> Dialect:
    """What an earlier run found out about this server, unless this one knows already.

    Only a place to begin: since then the server may have learnt to see, or be another one.
    """
    kept = journal.get(_place(client))
    if client.dialect.proven or kept is None:
        return client.dialect
    return replace(Dialect.of_record(kept), proven=False, sees=True)


def _remember(client: Client, journal: Journal) -> None:
    record = client.dialect.to_record()
    if client.dialect.proven and journal.get(_place(client)) != record:
        journal.put(_place(client), record)
