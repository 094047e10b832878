"""A client of any server that speaks OpenAI's ``/v1/chat/completions``.

Every request sent is counted; none is sent again beyond the budget of the settings.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from importlib import util
from typing import TYPE_CHECKING, Any, Self

from tagcf.errors import MissingExtraError, RefusedError, ServerError
from tagcf.tags.llm.account import Account, Ledger, Usage
from tagcf.tags.llm.answer import read_object
from tagcf.tags.llm.attempt import Attempt, first_attempt, next_attempt
from tagcf.tags.llm.failures import FATAL, Refusal, Trouble, refusal_of
from tagcf.tags.llm.pace import Pace, Stopped, seconds_to_wait
from tagcf.tags.llm.plain import plain_line
from tagcf.tags.llm.reply import QUOTED, Reply, reply_of
from tagcf.tags.llm.request import Request
from tagcf.tags.llm.server import Server
from tagcf.tags.llm.ways import Dialect, Known, body_of
from tagcf.text import did_you_mean, say
from tagcf.types import Reason

if TYPE_CHECKING:
    import httpx

BODY_LIMIT = 4_000_000  # bytes of a server's answer that are read
CONNECT_S = 10.0
LISTED = 100  # model names that are looked at


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer: a text in which the object asked for was found, unchecked beyond that."""

    text: str
    usage: Usage = field(default_factory=Usage)
    way: str = ""
    characters: int = 0  # of data sent
    of_characters: int = 0  # that there were; more where the data was cut
    images: int = 0  # pictures that the model saw
    of_images: int = 0  # pictures that there were


class _TooLargeError(Exception):
    """The server sends more than any answer can hold."""


class Client:
    """A connection to one server and model, safe to use from many threads.

    Examples
    --------
    >>> from tagcf.tags.llm.server import Server
    >>> with Client(Server("http://127.0.0.1:8000/v1", "qwen3-8b")) as client:
    ...     client.account.calls
    0
    """

    def __init__(self, server: Server) -> None:
        if util.find_spec("httpx") is None:
            raise MissingExtraError(
                "error.missing_extra", extra="llm", otherwise=say("llm.without")
            )
        import httpx

        self.server = server
        self._known = Known()
        self._pace = Pace(server.requests_per_minute)
        self._ledger = Ledger(server.prices)
        self._reached = False
        self._listed: tuple[str, ...] | None = None
        self._lock = threading.Lock()
        bearer = {"Authorization": f"Bearer {server.key}"} if server.key else {}
        self._http = httpx.Client(
            headers={"User-Agent": "tagcf", **bearer},
            timeout=httpx.Timeout(server.timeout_s, connect=min(CONNECT_S, server.timeout_s)),
            limits=httpx.Limits(max_connections=server.concurrency + 1),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """Send nothing more; requests under way may end."""
        self._pace.stop()

    def close(self) -> None:
        """Send nothing more and end the requests under way."""
        self._pace.stop()
        self._http.close()

    @property
    def account(self) -> Account:
        """Calls and tokens so far."""
        return self._ledger.account

    @property
    def ledger(self) -> Ledger:
        """Where a batch adds what it knows beside the calls."""
        return self._ledger

    @property
    def dialect(self) -> Dialect:
        """What was found out about the server."""
        return self._known.dialect

    def recall(self, dialect: Dialect) -> None:
        """Begin with what was found out before."""
        self._known.recall(dialect)

    def ask(self, request: Request) -> Answer:
        """Ask until an answer holds the object that the schema asks for.

        Raises
        ------
        RefusedError
            This request brings no answer; others may.
        ServerError
            No request can: unreachable, key refused, model unknown.
        Stopped
            The client was closed meanwhile.
        """
        attempt = first_attempt(request, self.dialect)
        if request.images and not (attempt.request.images or attempt.request.blocks):
            raise self._error(Refusal(Trouble.NO_IMAGES), attempt)
        while True:
            self._wait(attempt)
            reply = self._send(attempt)
            if isinstance(reply, Reply):
                self._ledger.add_usage(reply.usage)
                if read_object(reply.text, request.schema) is not None:
                    self._known.prove(attempt.way)
                    return _answer(reply, attempt, request)
            refusal = reply.unusable() if isinstance(reply, Reply) else reply
            self._known.adapt(refusal.trouble)
            following = next_attempt(
                attempt, refusal, self.dialect, self.server.retries, reached=self._reached
            )
            if following is None:
                raise self._error(refusal, attempt)
            self._ledger.add(resent=1)
            attempt = following

    def models(self) -> tuple[str, ...]:
        """Names of the models that the server offers; none where it doesn't say. Asked once."""
        with self._lock:
            if self._listed is None:
                reply = self._exchange("GET", "/models", None)
                found = reply.get("data") if isinstance(reply, dict) else None
                names = [one.get("id") for one in found or [] if isinstance(one, dict)]
                self._listed = tuple(
                    plain_line(name, 100) for name in names[:LISTED] if isinstance(name, str)
                )
            return self._listed

    def _wait(self, attempt: Attempt) -> None:
        if attempt.pause_s:
            self._pace.pause(attempt.pause_s)
        if attempt.backoff:
            self._pace.sleep(self._pace.backoff(attempt.backoff))
        self._pace.wait_turn()

    def _send(self, attempt: Attempt) -> Reply | Refusal:
        body = body_of(
            attempt.request,
            attempt.way,
            attempt.dialect,
            model=self.server.model,
            max_tokens=self.server.max_tokens,
            warm=attempt.unusable + attempt.rejected > 0,
        )
        body = {**self.server.extra_body, **body}
        self._ledger.add(calls=1)
        reply = self._exchange("POST", "/chat/completions", body)
        return reply if isinstance(reply, Refusal) else reply_of(reply)

    def _exchange(self, verb: str, path: str, body: dict[str, Any] | None) -> Any | Refusal:
        """One HTTP exchange; the JSON of the answer, or why there is none."""
        import httpx

        try:
            with self._http.stream(verb, self.server.base_url + path, json=body) as response:
                self._reached = True
                text = self._without_key(self._read(response).decode("utf-8", "replace"))
            if response.status_code == 200:
                return json.loads(text)
            wait = seconds_to_wait(response.headers.get("Retry-After"))
            refusal = refusal_of(response.status_code, text, wait)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            refusal = Refusal(Trouble.UNREACHABLE, self._told(error))
        except httpx.TimeoutException:
            refusal = Refusal(Trouble.TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            refusal = Refusal(Trouble.BROKEN, self._told(error))
        except _TooLargeError:
            refusal = Refusal(Trouble.NO_JSON, say("llm.answer_too_large"))
        except (ValueError, RecursionError):
            refusal = Refusal(Trouble.NO_JSON, plain_line(text, QUOTED) or say("llm.empty_answer"))
        except RuntimeError as error:  # httpx: the client was closed by another thread
            raise Stopped from error
        return refusal

    def _read(self, response: httpx.Response) -> bytes:
        """Read an answer, in bounded time and space."""
        import httpx

        end, read = time.monotonic() + self.server.timeout_s, bytearray()
        for piece in response.iter_bytes():
            read += piece
            if len(read) > BODY_LIMIT:
                raise _TooLargeError
            if time.monotonic() > end:
                msg = "the answer drips"
                raise httpx.ReadTimeout(msg)
        return bytes(read)

    def _told(self, error: Exception) -> str:
        return self._without_key(plain_line(str(error), 200))

    def _without_key(self, text: str) -> str:
        """Servers repeat a key that they refuse; it must not get into a message or a file."""
        return text.replace(self.server.key, "***") if self.server.key else text

    def _error(self, refusal: Refusal, attempt: Attempt) -> ServerError:
        trouble = refusal.trouble
        # Some services answer 403 to one text for its content, and errors may repeat what a text
        # says: once answers came, only a plain status stops everything.
        single = self.dialect.proven and refusal.status not in {0, 401, 402, 404, 429}
        known = self.models() if trouble is Trouble.NO_MODEL else ()
        facts: dict[str, str | int | float] = {
            "where": self.server.base_url,
            "model": self.server.model,
            "detail": refusal.told,
            "variable": self.server.key_name or "api_key_env",
            "seconds": self.server.timeout_s,
            "wait": round(refusal.wait_s or 0),
            "sent": attempt.resent + 1,
            "characters": attempt.request.characters,
            "images": len(attempt.request.images),
            "hint": did_you_mean(self.server.model, known),
            "known": ", ".join(known[:10]) or "?",
        }
        if trouble in FATAL and not single:
            return ServerError(trouble.value, **facts)
        return RefusedError((Trouble.REFUSED if trouble in FATAL else trouble).value, **facts)


def reason_of(error: ServerError) -> Reason:
    """Return an error as the reason why something is missing."""
    facts = tuple(
        (name, fact) for name, fact in error.facts.items() if isinstance(fact, str | int | float)
    )
    return Reason(error.key, facts)


def _answer(reply: Reply, attempt: Attempt, asked: Request) -> Answer:
    return Answer(
        text=reply.text,
        usage=reply.usage,
        way=attempt.way.value,
        characters=attempt.request.characters,
        of_characters=max(asked.cut_from, asked.characters),
        images=len(attempt.request.images),
        of_images=len(asked.images),
    )
