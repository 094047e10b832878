"""Public data sets to workspaces: one function each, in one plain dict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tagcf.data.connectors.coat import import_coat
from tagcf.data.connectors.kuairand import import_kuairand
from tagcf.data.connectors.lastfm import import_lastfm
from tagcf.data.connectors.movielens import import_movielens
from tagcf.data.connectors.s3rec import import_s3rec
from tagcf.data.connectors.source import Imported
from tagcf.data.connectors.upworthy import import_upworthy
from tagcf.data.connectors.writing import write_workspace

# Name -> function (what to read, folder to fill) -> what was read, left out and to be minded.
CONNECTORS: dict[str, Callable[[Path, Path], Imported]] = {
    "upworthy": import_upworthy,
    "coat": import_coat,
    "kuairand": import_kuairand,
    "movielens": import_movielens,
    "lastfm": import_lastfm,
    "s3rec": import_s3rec,
}

__all__ = ["CONNECTORS", "Imported", "write_workspace"]
