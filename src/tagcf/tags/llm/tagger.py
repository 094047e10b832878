"""The tagger that the settings describe, ready to read items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagcf.settings import LLMSettings
from tagcf.tags.evidence import Found
from tagcf.tags.llm.client import Client
from tagcf.tags.llm.closed import ClosedTags
from tagcf.tags.llm.journal import FILE, Journal
from tagcf.tags.llm.server import server_of
from tagcf.tags.llm.task import LLMEncoder


@contextmanager
def llm_tagger(settings: LLMSettings, out: Path) -> Iterator[LLMEncoder[tuple[Found, ...]]]:
    """Open a server and the journal of a workspace for tagging with the vocabulary.

    Parameters
    ----------
    settings
        The section ``[llm]``.
    out
        Output folder of the workspace; the journal is in it.

    Raises
    ------
    SettingsError
        The server is not set, or the variable with its key is empty.
    MissingExtraError
        httpx is not installed.
    OutputError
        The journal can't be used.
    """
    with Client(server_of(settings)) as client, Journal(out / FILE) as journal:
        yield LLMEncoder(client, ClosedTags(frames=settings.frames), journal)
