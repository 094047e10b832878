"""What went wrong with a request, told from status and text of the server's answer.

Servers share the protocol but not its errors: the same trouble is HTTP 400 at one and 500 at
the next. The words below are those of vLLM, Ollama, llama.cpp, llama-cpp-python, LM Studio and
of hosted services.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum

from tagcf.tags.llm.plain import plain_line
from tagcf.text import say

DETAIL_LIMIT = 300  # characters of a server's own words in a message


class Trouble(Enum):
    """Kinds of failure; the value is the key of the sentence."""

    FORMAT = "llm.format_refused"  # this way of asking for JSON
    TOKENS_NAME = "llm.tokens_refused"  # `max_tokens` under this name
    TEMPERATURE = "llm.temperature_refused"  # a temperature of our choice
    LIMITS = "llm.limits_refused"  # lengths and bounds in the schema
    TOO_LONG = "llm.too_long"
    NO_IMAGES = "llm.no_images"  # the model has no eyes
    BAD_IMAGE = "llm.bad_image"  # this picture
    UNAUTHORISED = "llm.unauthorised"
    NO_CREDIT = "llm.no_credit"
    NO_MODEL = "llm.no_model"
    WRONG_ADDRESS = "llm.wrong_address"
    BUSY = "llm.busy"
    BROKEN = "llm.server_failed"
    REFUSED = "llm.refused"
    TIMEOUT = "llm.timeout"
    UNREACHABLE = "llm.unreachable"
    NO_JSON = "llm.no_json"


# Nothing can go on while these last: they stop a batch.
FATAL = frozenset(
    {
        *(Trouble.UNAUTHORISED, Trouble.NO_CREDIT, Trouble.NO_MODEL),
        *(Trouble.WRONG_ADDRESS, Trouble.UNREACHABLE),
    }
)
# Worth the same request again, later.
PASSING = frozenset({Trouble.BUSY, Trouble.BROKEN, Trouble.TIMEOUT, Trouble.UNREACHABLE})

# What a status means whatever the words beside it, and what it means where they say nothing.
_CERTAIN = {
    **dict.fromkeys((401, 403), Trouble.UNAUTHORISED),
    402: Trouble.NO_CREDIT,
    **dict.fromkeys((301, 302, 303, 307, 308), Trouble.WRONG_ADDRESS),
    **dict.fromkeys((408, 504, 524), Trouble.TIMEOUT),
}
_LIKELY = {
    **dict.fromkeys((404, 405), Trouble.WRONG_ADDRESS),
    413: Trouble.TOO_LONG,
}

_WORDS = (
    (
        Trouble.NO_CREDIT,
        r"insufficient.?(quota|balance|credit)|exceeded your current quota|余额|欠费",
    ),
    (
        Trouble.TOO_LONG,
        r"exceed_context_size|context_length_exceeded|(context|input|prompt|request)\b.{0,60}"
        r"(exceed|too long|longer than|larger than)|exceed.{0,40}context|"
        r"maximum context length|max_model_len|context (window|length) (of|is)",
    ),
    (Trouble.TOKENS_NAME, r"max_completion_tokens"),
    (
        Trouble.TEMPERATURE,
        r"temperature.{0,60}(unsupported|not support|only the default)|"
        r"(unsupported|not support).{0,60}temperature",
    ),
    (
        Trouble.NO_IMAGES,
        r"(image|multi-?modal|vision|mmproj).{0,80}(not support|unsupported|doesn.t support|"
        r"does not support|not enabled|only supports? text)|"
        r"(not support|doesn.t support|unsupported).{0,60}(image|multi-?modal|vision)|"
        r"missing data required for image|at most 0 image|image.{0,40}certain models|"
        r"not a multimodal model|no endpoints.{0,40}image|unknown variant .?image_url",
    ),
    (
        Trouble.BAD_IMAGE,
        r"(load|decode|process|parse|read|identify|invalid|broken|corrupt).{0,40}"
        r"image|image.{0,60}(invalid|decode|corrupt|broken|too large|too small)",
    ),
    (
        Trouble.LIMITS,
        r"(max|min)(Length|Items|imum)\b.{0,80}(not (permitted|supported|allowed)|unsupported)|"
        r"(unsupported|not support|unknown|invalid).{0,60}\b(max|min)(Length|Items|imum)\b",
    ),
    (
        Trouble.FORMAT,
        r"response_format|json_schema|json_object|json schema|structured.?output|grammar|"
        r"guided|'text' or|schema.{0,60}(invalid|unsupported|not support)",
    ),
    (
        Trouble.NO_MODEL,
        r"model.{0,120}(not found|does not exist|doesn.t exist|not available|unknown|"
        r"not loaded|no access)|(unknown|invalid|no such|not a valid) model|model_not_found",
    ),
)
_PATTERNS = tuple((trouble, re.compile(words, re.IGNORECASE)) for trouble, words in _WORDS)
_ROOM = re.compile(
    r"(?:context (?:length|size|window)\D{0,20}|n_ctx\D{0,4}|max_model_len\D{0,9})(\d+)"
)
_SIZES = re.compile(r"\d{3,9}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that brought no answer."""

    trouble: Trouble
    detail: str = ""  # the server's own words, one short line
    status: int = 0
    wait_s: float | None = None  # Retry-After
    fits: float | None = None  # too long: the share of the prompt that would fit

    @property
    def told(self) -> str:
        """What a message repeats: status and words, as far as there are any."""
        if not self.status:
            return self.detail or say("llm.no_words")
        return f"HTTP {self.status}: {self.detail}" if self.detail else f"HTTP {self.status}"


def refusal_of(status: int, body: str, wait_s: float | None = None) -> Refusal:
    """Tell what an HTTP error means."""
    detail = plain_line(error_text(body), DETAIL_LIMIT)
    trouble = _trouble_of(status, error_text(body)[:4000])
    fits = _share_that_fits(body) if trouble is Trouble.TOO_LONG else None
    return Refusal(trouble, detail, status, wait_s, fits)


def _trouble_of(status: int, text: str) -> Trouble:
    if status in _CERTAIN:
        return _CERTAIN[status]
    told = [trouble for trouble, pattern in _PATTERNS if pattern.search(text)]
    if status == 429:
        return Trouble.NO_CREDIT if Trouble.NO_CREDIT in told else Trouble.BUSY
    if told:
        return told[0]
    return _LIKELY.get(status, Trouble.BROKEN if status >= 500 else Trouble.REFUSED)


def error_text(body: str) -> str:
    """Return the message inside an error's body, in any of the shapes that servers use."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for name in ("error", "message", "detail", "msg"):
        while isinstance(found, dict) and name in found:
            kind = found.get("type")
            found = found[name]
            if isinstance(found, str) and isinstance(kind, str):
                found = f"{found} ({kind})"
    if isinstance(found, list):  # pydantic's: they repeat the input, which is not to be judged
        found = "; ".join(
            f"{one.get('loc')}: {one.get('msg')}" for one in found if isinstance(one, dict)
        )
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _share_that_fits(body: str) -> float | None:
    """Room over need, where the message names both; the need is its largest number."""
    room = _ROOM.search(body)
    if room is None:
        return None
    need = max(int(size) for size in _SIZES.findall(body) or [room[1]])
    return int(room[1]) / need if int(room[1]) < need else None
