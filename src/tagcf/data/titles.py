"""What items are called: their titles in items.*, looked up when they are shown."""

from __future__ import annotations

from collections.abc import Collection

from tagcf.data.bad_rows import Ledger
from tagcf.data.files import describe, locate, whole
from tagcf.data.values import as_texts
from tagcf.data.workspace import Workspace
from tagcf.errors import DataError


def titles_of(workspace: Workspace, items: Collection[str]) -> dict[str, str]:
    """Titles of some items: the first column of ``[content] text``, else a column "title".

    Items without one are left out; so are all where the table cannot be read, since a list is
    no worse for it (`tagcf check` says what is wrong).
    """
    settings = workspace.settings
    column = next(iter(settings.content.text), "title")
    if not items:
        return {}
    try:
        path = locate(workspace.root, "items")
        if path is None:
            return {}
        table = describe(path, "items", settings.data.encoding)
        if column not in table.columns or settings.data.item not in table.columns:
            return {}
        frame = whole(table, list(dict.fromkeys((settings.data.item, column))), Ledger()).frame
    except DataError:
        return {}
    ids = as_texts(frame[settings.data.item])
    asked = ids.is_in(list(items))
    found: dict[str, str] = {}
    titles = as_texts(frame[column]).filter(asked)
    for item, title in zip(ids.filter(asked), titles, strict=True):
        if item is not None and title:
            found.setdefault(item, title)
    return found
