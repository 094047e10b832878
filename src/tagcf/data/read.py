"""A workspace to an `EventLog`: the stored log, made first if the files or settings changed."""

from __future__ import annotations

import os
from pathlib import Path

from tagcf.data.blocks import log_from_store
from tagcf.data.heading import head_of
from tagcf.data.ingest import Ingest
from tagcf.data.schema import make_plan, open_tables
from tagcf.data.store import find_store, fingerprint, staging, write_head
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.types import EventLog


def read_log(workspace: Workspace | str | os.PathLike[str]) -> EventLog:
    """Read the impressions of a workspace, joined with its items and users.

    The raw files are read once, in bounded memory, into ``out/log/``; as long as neither
    they nor the settings change, later calls only map that store.

    Parameters
    ----------
    workspace
        The folder, or an opened `Workspace`.

    Returns
    -------
    EventLog
        Re-iterable in blocks of up to 65,536 rows. `report` says what was wrong with the input.

    Raises
    ------
    SettingsError
        There is no valid tagcf.toml.
    DataError
        A file is missing, broken or lacks a column; bad rows are reported, not raised.
    """
    opened = workspace if isinstance(workspace, Workspace) else open_workspace(Path(workspace))
    key = fingerprint(opened)
    found = find_store(opened, key)
    if found is None:
        tables = open_tables(opened.root, opened.settings)
        ingest = Ingest(make_plan(opened.settings, tables), tables)
        with staging(opened, key) as folder:
            ingest.run(folder)
            head = head_of(ingest)
            write_head(folder, head)
        found = opened.out / "log" / key, head
    return log_from_store(*found, simulated=opened.settings.data.simulated)
