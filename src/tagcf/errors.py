"""Everything TagCF raises on purpose.

::

    TagCFError              catch this to catch them all; exit code 1
    ├── SettingsError       tagcf.toml or a TAGCF_* variable is wrong
    ├── DataError           an input file cannot be used: missing, broken, wrong columns
    │   └── MediaError      a picture, video or sound that cannot be read
    ├── UnknownNameError    a tag, outcome, item, user … that does not exist
    ├── QuestionError       a question that contradicts itself
    ├── EstimationError     the question cannot be put to this data at all
    ├── MissingExtraError   an optional dependency is not installed
    ├── ServerError         a model server cannot be used: unreachable, key refused …
    │   └── RefusedError    it gave no usable answer to one request; others may go well
    └── OutputError         an output of an earlier verb is missing, stale or unreadable

A message says what happened, which value, and what to do, in the chosen language. It is
written once, in ``text/``, under the error's key; facts fill its gaps.
"""

from __future__ import annotations

from tagcf.text import say


class TagCFError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    key
        Key of the message in the text catalogue, e.g. ``"error.missing_column"``.
    **facts
        The values that fill the message's gaps; also kept as ``.facts``.
    """

    exit_code = 1

    def __init__(self, key: str, **facts: object) -> None:
        self.key = key
        self.facts = facts
        super().__init__(key, facts)

    def __str__(self) -> str:
        return say(self.key, **self.facts)


class SettingsError(TagCFError):
    """The settings cannot be used. Raised before any data is read."""

    exit_code = 2


class DataError(TagCFError):
    """An input file cannot be used; single bad rows are reported, not raised."""


class MediaError(DataError):
    """A picture, video or sound cannot be read: missing, empty, broken, or of no known format."""


class UnknownNameError(TagCFError):
    """A name that does not exist was asked for."""

    exit_code = 2


class QuestionError(TagCFError):
    """A question contradicts itself, such as one that takes off and puts on the same tag."""

    exit_code = 2


class EstimationError(TagCFError):
    """The question cannot be put to this data at all; weak evidence is a verdict, not an error."""


class MissingExtraError(TagCFError):
    """An optional dependency is needed; the message names the extra and the way without it."""


class ServerError(TagCFError):
    """A model server cannot be used."""


class RefusedError(ServerError):
    """A model server gave no usable answer to one request; others may go well."""


class OutputError(TagCFError):
    """What an earlier verb should have written is missing or unreadable."""
