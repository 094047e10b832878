"""Ways of asking for JSON, from the strictest on, and what a server was found to understand."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from tagcf.tags.llm.failures import Trouble
from tagcf.tags.llm.request import Request, messages_of


class Way(Enum):
    """How the schema is brought to the server.

    An un-nested ``{"type": "json_schema", "schema": …}`` is not among them: llama.cpp takes it
    and constrains nothing. So does every server that doesn't know a field; answers are checked
    whatever the way.
    """

    SCHEMA = "json_schema"  # vLLM, Ollama, llama.cpp, LM Studio, most hosted services
    OBJECT = "json_object"  # llama-cpp-python, older hosted services
    PROMPT = "prompt"  # everything else: the schema in words, the JSON found and repaired


_LIMITS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"})
_WEAKER = {Way.SCHEMA: Way.OBJECT, Way.OBJECT: Way.PROMPT}


def weaker(way: Way) -> Way | None:
    """Return the next way to try; ``None`` after the last."""
    return _WEAKER.get(way)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is known of a server and model."""

    way: Way = Way.SCHEMA
    proven: bool = False  # an answer that fits the schema came this way
    tokens_name: str = "max_tokens"
    own_temperature: bool = True  # whether a temperature may be given
    limits: bool = True  # whether a schema may bound lengths and numbers
    sees: bool = True  # whether pictures may be sent

    def adapted(self, trouble: Trouble) -> Dialect | None:
        """Return the dialect with which a refused request may succeed; ``None``: no such."""
        if trouble is Trouble.TOKENS_NAME and self.tokens_name == "max_tokens":
            return replace(self, tokens_name="max_completion_tokens")
        if trouble is Trouble.TEMPERATURE and self.own_temperature:
            return replace(self, own_temperature=False)
        if trouble is Trouble.LIMITS and self.limits:
            return replace(self, limits=False)
        if trouble is Trouble.NO_IMAGES and self.sees:
            return replace(self, sees=False)
        return None

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values, to be remembered."""
        return asdict(self) | {"way": self.way.value}

    @staticmethod
    def of_record(record: Mapping[str, Any]) -> Dialect:
        """Return what was remembered; the default where it can't be read."""
        try:
            return Dialect(**{**record, "way": Way(record["way"])})
        except (KeyError, TypeError, ValueError):
            return Dialect()


class Known:
    """The dialect in force, shared by all workers. Each finding changes one thing."""

    def __init__(self) -> None:
        self._dialect = Dialect()
        self._lock = threading.Lock()

    @property
    def dialect(self) -> Dialect:
        """What is known now."""
        return self._dialect

    def recall(self, dialect: Dialect) -> None:
        """Begin with what an earlier run found."""
        with self._lock:
            self._dialect = dialect

    def adapt(self, trouble: Trouble) -> bool:
        """Note what a server can't take; whether that changes anything."""
        with self._lock:
            adapted = self._dialect.adapted(trouble)
            if adapted is not None:
                self._dialect = adapted
            return adapted is not None

    def prove(self, way: Way) -> None:
        """Note the way that the first fitting answer came."""
        with self._lock:
            if not self._dialect.proven:
                self._dialect = replace(self._dialect, way=way, proven=True)


def body_of(
    request: Request, way: Way, dialect: Dialect, *, model: str, max_tokens: int, warm: bool
) -> dict[str, Any]:
    """Body of a chat completion. `warm`: not the likeliest answer, for that one was unusable."""
    body: dict[str, Any] = {
        "model": model,
        "messages": messages_of(request, show_schema=way is not Way.SCHEMA),
        dialect.tokens_name: max_tokens,
    }
    if dialect.own_temperature:
        body["temperature"] = 0.5 if warm else 0.0
    schema = request.schema if dialect.limits else without_limits(request.schema)
    if way is Way.SCHEMA:
        name = "".join(letter if letter.isalnum() else "_" for letter in request.task)
        shape = {"name": name, "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    elif way is Way.OBJECT:
        body["response_format"] = {"type": "json_object", "schema": schema}
    return body


def without_limits(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without lengths and bounds, which strict modes of hosted services refuse.

    The instructions say them too, and answers are checked against the whole schema.
    """
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "properties":
            kept[name] = {one: without_limits(shape) for one, shape in value.items()}
        elif name == "items":
            kept[name] = without_limits(value)
        elif name not in _LIMITS:
            kept[name] = value
    return kept
