"""A trained recommender on disk: a folder of its own per version, and one file that names it.

::

    current.json                  the version that is loaded; replaced last, atomically
    <version>-<run>/head.json     settings, names, and the size of every other file
                    arrays.npz    histories, events since, tags, segments
                    model.npz     tables and statistics of linear parts
                    weights-0.npz a transformer, where there is one
                    ranker.npz    predicted outcomes, where there are any
                    terms.npz     terms on the model's scores, and roles

A folder takes its name when it is complete. What a killed run left is never read, and the next
one removes it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
from pydantic import ValidationError
from scipy import sparse

from tagcf.data.store import remove_abandoned
from tagcf.data.workspace import write_text
from tagcf.errors import OutputError
from tagcf.recommend.baselines.co_visitation import FittedCoVisitation
from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.explain.tag_evidence import TagEvidence
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.member_store import linear_arrays, linear_of, pair_arrays, pairs_of
from tagcf.recommend.people_store import people_arrays, people_of
from tagcf.recommend.pipeline import Models
from tagcf.recommend.rank.store import load_ranker, save_ranker
from tagcf.recommend.rank.utility import Utility
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.sequence.fusion import FittedFusion
from tagcf.recommend.sequence.transformer import FittedTransformer
from tagcf.recommend.steer import Rule
from tagcf.recommend.terms.store import (
    choices_of,
    role_arrays,
    roles_of,
    tag_of,
    term_arrays,
    terms_of,
)
from tagcf.recommend.train import Trained, side_of
from tagcf.settings import RecommendSettings
from tagcf.types import IdMap, TagReason

FORMAT = 3  # goes up when the layout changes
POINTER, HEAD = "current.json", "head.json"
_STAGING = ".staging-"
_VERSION = re.compile(r"model-[0-9a-f]{10}(\+\d+)*-[0-9a-f]{8}")


def save_trained(home: Path, trained: Trained) -> Path:
    """Write a new version and make it the current one; older ones are removed."""
    home.mkdir(parents=True, exist_ok=True)
    name = f"{trained.version}-{uuid4().hex[:8]}"
    remove_abandoned(home, _STAGING)
    staging = home / f"{_STAGING}{os.getpid()}-{name}"
    try:
        staging.mkdir()
        head = _write_parts(staging, trained)
        sizes = {one.name: one.stat().st_size for one in sorted(staging.iterdir())}
        for part in staging.iterdir():
            _flush(part)
        write_text(staging / HEAD, json.dumps(head | {"files": sizes}, ensure_ascii=False))
        staging.rename(home / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    write_text(home / POINTER, json.dumps({"format": FORMAT, "folder": name}))
    for other in home.iterdir():
        if other.is_dir() and other.name != name and _VERSION.fullmatch(other.name):
            shutil.rmtree(other, ignore_errors=True)
    return home / name


def load_trained(home: Path) -> Trained:
    """Read the current version.

    Raises
    ------
    OutputError
        There is none, or it is half-written, broken or of another format.
    """
    if not (home / POINTER).is_file():
        raise OutputError("recommend.no_model", path=home)
    for _ in range(3):  # a save may replace the version while it is read
        folder = _current(home)
        try:
            return _load(home, folder)
        except OutputError:
            if _current(home) == folder:
                raise
    return _load(home, _current(home))


def _current(home: Path) -> Path:
    try:
        folder = str(json.loads((home / POINTER).read_text("utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise OutputError("recommend.model_broken", path=home, detail=broken) from broken
    if not _VERSION.fullmatch(folder):  # a pointer leads to no other place
        raise OutputError("recommend.model_broken", path=home, detail=f"{POINTER}: {folder!r}")
    return home / folder


def _load(home: Path, folder: Path) -> Trained:
    try:
        head = json.loads((folder / HEAD).read_text("utf-8"))
        _check(home, folder, head)
        return _read_parts(folder, head)
    except OutputError as broken:
        if broken.key == "recommend.model_format":
            raise
        raise OutputError("recommend.model_broken", path=home, detail=broken) from broken
    except (
        OSError, EOFError, KeyError, ValueError, TypeError, IndexError, BadZipFile, ValidationError,
        pa.ArrowException,
    ) as broken:  # fmt: skip
        raise OutputError("recommend.model_broken", path=home, detail=broken) from broken


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _check(home: Path, folder: Path, head: dict[str, Any]) -> None:
    """Raise where the format is another (OutputError) or a file not as long as it was."""
    if head["format"] != FORMAT:
        facts = {"path": home, "format": head["format"], "known": FORMAT}
        raise OutputError("recommend.model_format", **facts)
    for name, size in head["files"].items():
        found = (folder / name).stat().st_size
        if found != size:
            raise ValueError(f"{name}: {found:,} / {size:,} bytes")


# ── writing ─────────────────────────────────────────────────────────────────
def _write_parts(folder: Path, trained: Trained) -> dict[str, Any]:
    people, catalogue, models = trained.people, trained.catalogue, trained.models
    carried = catalogue.carried
    arrays: dict[str, Any] = {
        **people_arrays(people),
        "strength": carried.data,
        "columns": carried.indices,
        "starts": carried.indptr,
        "users": _text(people.ids),
        "items": _text(catalogue.ids),
    }
    np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
    kind = _write_model(folder, models.fitted)
    if models.ranker is not None:
        save_ranker(folder / "ranker.npz", models.ranker)
    evidence, roles = trained.evidence, None
    parts = term_arrays(models.terms)
    if trained.roles is not None:
        tables, roles = role_arrays(trained.roles)
        parts |= tables
    np.savez(folder / "terms.npz", allow_pickle=False, **parts)
    return {
        "format": FORMAT,
        "version": trained.version,
        "model": kind,
        "settings": trained.settings.model_dump(mode="json"),
        "rules": [asdict(rule) for rule in trained.rules],
        "tags": [asdict(tag) for tag in catalogue.tags],
        "tags_version": catalogue.tags_version,
        "segments": people.segments,
        "effects": None if evidence is None else _evidence_json(evidence),
        "ranker": models.ranker is not None,
        "unit": models.unit,
        "simulated": trained.simulated,
        "validation": trained.validation,
        "origin": trained.origin,
        "choices": asdict(trained.choices),
        "roles": roles,
    }


def _write_model(folder: Path, fitted: Fitted) -> dict[str, Any]:
    """Write the model's parts; returns what they are."""
    members = fitted.models if isinstance(fitted, FittedFusion) else (fitted,)
    weights = list(fitted.weights) if isinstance(fitted, FittedFusion) else None
    kinds: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for at, one in enumerate(members):
        if isinstance(one, FittedLinear | FittedCoVisitation):
            linear = isinstance(one, FittedLinear)
            own, facts = linear_arrays(one) if isinstance(one, FittedLinear) else pair_arrays(one)
            arrays |= {f"{at}.{name}": value for name, value in own.items()}
            kinds.append({"kind": "linear" if linear else "co-visitation", **facts})
        elif isinstance(one, FittedTransformer):
            one.save(folder / f"weights-{at}.npz")
            kinds.append({"kind": "transformer"})
        else:
            raise TypeError(f"{type(one).__name__} cannot be stored")
    np.savez(folder / "model.npz", allow_pickle=False, **arrays)
    return {"members": kinds, "weights": weights}


def _evidence_json(evidence: TagEvidence) -> dict[str, Any]:
    by_tag = [[tag, [asdict(one) for one in of]] for tag, of in evidence.by_tag.items()]
    return {"version": evidence.version, "by_tag": by_tag}


def _text(strings: list[str]) -> np.ndarray:
    return np.frombuffer(json.dumps(strings, ensure_ascii=False).encode(), np.uint8)


# ── reading ─────────────────────────────────────────────────────────────────
def _read_parts(folder: Path, head: dict[str, Any]) -> Trained:
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    users, items = (json.loads(arrays[name].tobytes()) for name in ("users", "items"))
    with np.load(folder / "terms.npz", allow_pickle=False) as file:
        parts = {name: file[name] for name in file.files}
    tags = tuple(tag_of(one) for one in head["tags"])
    carried = sparse.csr_array(
        (arrays["strength"], arrays["columns"], arrays["starts"]), shape=(len(items), len(tags))
    )
    settings = RecommendSettings.model_validate(head["settings"])
    ranker = load_ranker(folder / "ranker.npz") if head["ranker"] else None
    segments = tuple((name, tuple(levels)) for name, levels in head["segments"])
    utility = Utility(dict(settings.utility)) if settings.utility else None
    catalogue = Catalogue(IdMap(pa.array(items, pa.string())), tags, carried, head["tags_version"])
    people = people_of(arrays, users, segments, len(items))
    roles, choices = roles_of(parts, head["roles"]), choices_of(head["choices"])
    terms = terms_of(parts, choices, side_of(catalogue, people, roles), people.learned)
    fitted = _read_model(folder, head["model"])
    return Trained(
        models=Models(fitted, ranker, utility, settings.candidates, head["unit"], terms),
        catalogue=catalogue,
        people=people,
        evidence=_evidence(head["effects"]),
        settings=settings,
        version=head["version"],
        rules=tuple(Rule(**one) for one in head["rules"]),
        simulated=head["simulated"],
        validation=head["validation"],
        origin=tuple((name, value) for name, value in head["origin"]),
        choices=choices,
        roles=roles,
    )


def _read_model(folder: Path, facts: dict[str, Any]) -> Fitted:
    with np.load(folder / "model.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    members: list[Fitted] = []
    for at, one in enumerate(facts["members"]):
        if one["kind"] in ("linear", "co-visitation"):
            start = f"{at}."
            own = {
                name.removeprefix(start): value
                for name, value in arrays.items()
                if name.startswith(start)
            }
            members.append(linear_of(own, one) if one["kind"] == "linear" else pairs_of(own, one))
        else:
            members.append(FittedTransformer.load(folder / f"weights-{at}.npz"))
    if facts["weights"] is None:
        return members[0]
    return FittedFusion(tuple(members), tuple(facts["weights"]))


def _evidence(facts: dict[str, Any] | None) -> TagEvidence | None:
    if facts is None:
        return None
    by_tag = {int(tag): tuple(TagReason(**one) for one in of) for tag, of in facts["by_tag"]}
    return TagEvidence(by_tag, facts["version"])
