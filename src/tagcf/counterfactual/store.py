"""What-ifs of a workspace: the response model and the tags it was asked with, kept on disk.

``out/model/whatif.npz`` holds all that an answer needs beside the effects, so that a later
question reads neither the log nor the tag tables. It is a cache: it carries the key of the
effects' run and of the files it was made from, and is made again when either has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from tagcf.counterfactual.components import Components
from tagcf.counterfactual.crossed import Deviations
from tagcf.counterfactual.model import ResponseModel, fit_response
from tagcf.counterfactual.prepare import Prepared, prepare
from tagcf.data.files import locate
from tagcf.data.read import read_log
from tagcf.data.store import fingerprint
from tagcf.data.workspace import Workspace, atomic_path
from tagcf.effects.store import read_effects, run_id
from tagcf.tags.graph import load_graph
from tagcf.tags.matrix import load_tags
from tagcf.types import IdMap, Outcome, Tag, TagMatrix

FORMAT = 1  # goes up when the layout changes, so that older files are made again
_AXES = ("audience", "item", "user")


@dataclass(frozen=True, slots=True)
class Ground:
    """What answers stand on, beside the effects."""

    model: ResponseModel
    tags: TagMatrix
    descendants: dict[str, frozenset[str]]


def open_what_if(workspace: Workspace) -> Prepared:
    """Get a workspace ready for questions; fits the response model on first use.

    Raises
    ------
    OutputError
        There are no effects yet (or no tags), or they cannot be read.
    DataError
        The log has to be read again and cannot be.
    """
    effects = read_effects(workspace)
    key = _key(workspace)
    path = workspace.out / "model" / "whatif.npz"
    ground = load_ground(path, key)
    if ground is None:
        ground = _fit(workspace)
        save_ground(path, key, ground)
    return prepare(
        effects,
        ground.tags,
        ground.model,
        threshold=workspace.settings.tags.threshold,
        descendants=ground.descendants,
    )


def _fit(workspace: Workspace) -> Ground:
    log = read_log(workspace)
    tags = load_tags(workspace, log)
    graph = load_graph(workspace, tags.tags)
    descendants = {tag.slug: graph.descendants(tag.slug) for tag in tags.tags}
    return Ground(fit_response(log), tags, descendants)


def _key(workspace: Workspace) -> str:
    """Effects' run, log, tags and graph, by name, size and time."""
    files = [locate(workspace.root, "item_tags"), workspace.root / "out" / "item_tags.parquet"]
    if workspace.settings.tags.graph:
        files.append(workspace.root / workspace.settings.tags.graph)
    stats = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
        if path is not None and path.is_file()
    ]
    content = json.dumps([FORMAT, run_id(workspace), fingerprint(workspace), stats])
    return hashlib.sha256(content.encode()).hexdigest()


def save_ground(path: Path, key: str, ground: Ground) -> None:
    """Write a ground atomically under its key; no pickle."""
    model, tags = ground.model, ground.tags
    arrays: dict[str, Any] = {
        "key": np.array(key),
        "facts": _packed(
            [
                json.dumps([asdict(outcome) for outcome in model.outcomes]),
                json.dumps([asdict(tag) for tag in tags.tags], ensure_ascii=False),
                json.dumps(tags.sources, ensure_ascii=False),
                json.dumps({tag: sorted(below) for tag, below in ground.descendants.items()}),
            ]
        ),
        "items": _packed(model.items.ids),
        "users": _packed(model.users.ids),
        "tagged": _packed(tags.items.ids),
        "mean": np.stack([model.mean, model.item_mean]),
        "components": np.stack(
            [model.components.item, model.components.user, model.components.noise]
        ),
        "strength": tags.strength.data,
        "confidence": tags.confidence.data,
        "source": tags.source.data,
        "columns": tags.strength.indices,
        "starts": tags.strength.indptr,
    }
    for axis in _AXES:
        deviations: Deviations = getattr(model, axis)
        arrays[axis] = np.stack([deviations.value, deviations.variance])
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_ground(path: Path, key: str) -> Ground | None:
    """Read what `save_ground` wrote; None where it is missing, broken or of another key."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return _ground(arrays) if str(arrays["key"]) == key else None
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile, pa.ArrowException):
        return None


def _ground(arrays: Any) -> Ground:
    outcomes, tags, sources, below = (json.loads(part) for part in _strings(arrays["facts"]))
    axes = {axis: Deviations(*arrays[axis]) for axis in _AXES}
    model = ResponseModel(
        items=IdMap(_unpacked(arrays["items"])),
        users=IdMap(_unpacked(arrays["users"])),
        outcomes=tuple(Outcome(**one) for one in outcomes),
        mean=arrays["mean"][0],
        item_mean=arrays["mean"][1],
        components=Components(*arrays["components"]),
        **axes,
    )
    items = IdMap(_unpacked(arrays["tagged"]))
    pattern = arrays["columns"], arrays["starts"]
    shape = len(items), len(tags)
    strength, confidence, source = (
        sparse.csr_array((arrays[name], *pattern), shape=shape)
        for name in ("strength", "confidence", "source")
    )
    matrix = TagMatrix(
        items=items,
        tags=tuple(_tag(one) for one in tags),
        strength=strength,
        confidence=confidence,
        source=source,
        sources=tuple(sources),
    )
    return Ground(model, matrix, {tag: frozenset(slugs) for tag, slugs in below.items()})


def _packed(strings: Sequence[str] | pa.StringArray) -> NDArray[np.uint8]:
    """Strings as the bytes of an Arrow stream: compact, and read without copying."""
    batch = pa.record_batch([pa.array(strings, pa.string())], ["text"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return np.frombuffer(sink.getvalue().to_pybytes(), dtype=np.uint8)


def _unpacked(stream: NDArray[np.uint8]) -> pa.StringArray:
    with pa.ipc.open_stream(pa.BufferReader(stream.tobytes())) as reader:
        text: pa.StringArray = reader.read_next_batch().column(0)  # type: ignore[assignment]  # written by _packed
    return text


def _strings(stream: NDArray[np.uint8]) -> list[str]:
    return [str(one) for one in _unpacked(stream).to_pylist()]


def _tag(facts: dict[str, Any]) -> Tag:
    lists = {name: tuple(facts[name]) for name in ("aliases", "keywords")}
    return Tag(**(facts | lists))
