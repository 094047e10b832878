"""Effects on disk: one Parquet table, and beside it the joint fits that what-ifs are made of.

``out/effects.parquet`` is the commit point. It names the model file that belongs to it, which is
written first under a name of its own, so that a run killed at any moment leaves the old pair.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tagcf.data.workspace import Workspace, atomic_path
from tagcf.doubts import Balance
from tagcf.effects.sensitivity.store import doubts_path, read_doubts, write_doubts
from tagcf.errors import OutputError
from tagcf.types import Effect, JointFit, Reason, TagEffects

FILE_NAME = "effects.parquet"

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("tag", "tag_zh", "tag_en", "outcome", "segment"), _TEXT),
    **dict.fromkeys(("method", "estimand"), _TEXT),
    **dict.fromkeys(("estimate", "se", "ci_low", "ci_high", "p", "q"), _NUMBER),
    **dict.fromkeys(("shrunk", "shrunk_low", "shrunk_high", "baseline", "relative"), _NUMBER),
    **dict.fromkeys(("n_rows", "n_items", "n_treated_items"), _COUNT),
    "effective_items": _NUMBER,
    **dict.fromkeys(("rung", "verdict", "reason", "diagnostics"), _TEXT),
}
_SCHEMA = pa.schema(_COLUMNS)
_COUNTED = ("n_rows", "n_items", "n_users", "simulated")


def effects_path(workspace: Workspace) -> Path:
    """Where `write_effects` writes."""
    return workspace.out / FILE_NAME


def write_effects(workspace: Workspace, found: TagEffects) -> Path:
    """Write effects and joint fits; returns the path of the table."""
    target = effects_path(workspace)
    model = workspace.out / "model"
    model.mkdir(exist_ok=True)
    run = uuid.uuid4().hex
    with atomic_path(model / f"effects-{run}.npz") as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **_arrays(found))
    if found.doubts:
        write_doubts(model, run, found.doubts)
    facts = {
        "run": run,
        "n_rows": found.n_rows,
        "n_items": found.n_items,
        "n_users": found.n_users,
        "simulated": found.simulated,
        "tags_version": found.tags_version,
    }
    table = pa.Table.from_pylist([_row(effect) for effect in found.effects], schema=_SCHEMA)
    table = table.replace_schema_metadata({"tagcf": json.dumps(facts)})
    with atomic_path(target) as partial:
        pq.write_table(table, partial)
    for old in model.glob("effects-*.npz"):
        if old.name != f"effects-{run}.npz":
            old.unlink(missing_ok=True)
    for old in model.glob("doubts-*.json"):
        if old != doubts_path(model, run):
            old.unlink(missing_ok=True)
    return target


def read_effects(workspace: Workspace) -> TagEffects:
    """Read what `write_effects` wrote.

    Raises
    ------
    OutputError
        Nothing has been written yet, it cannot be read, or another version or program wrote it.
    """
    path = effects_path(workspace)
    command = f"tagcf effects {workspace.root}"
    if not path.is_file():
        raise OutputError("error.missing_output", path=path, command=command)
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[b"tagcf"])
        with np.load(workspace.out / "model" / f"effects-{facts['run']}.npz") as arrays:
            joint, balance = _fits(arrays), _balance(arrays)
        effects = tuple(_effect(row) for row in table.to_pylist())
        doubts = read_doubts(workspace.out / "model", facts["run"])
        counts = {name: facts[name] for name in _COUNTED}
    except (KeyError, TypeError) as foreign:  # read well, but other columns or facts are in it
        raise OutputError("error.foreign_output", path=path, command=command) from foreign
    except (OSError, ValueError, BadZipFile, pa.ArrowException) as broken:
        raise OutputError(
            "error.broken_output", path=path, detail=broken, command=command
        ) from broken
    return TagEffects(
        effects=effects,
        joint=joint,
        balance=balance,
        doubts=doubts,
        tags_version=str(facts.get("tags_version", "")),
        **counts,
    )


def run_id(workspace: Workspace) -> str | None:
    """Name of the run that the table on disk belongs to; None where there is none.

    Raises
    ------
    OutputError
        The table cannot be read.
    """
    path = effects_path(workspace)
    if not path.is_file():
        return None
    try:
        metadata = pq.read_schema(path).metadata or {}
        return str(json.loads(metadata[b"tagcf"])["run"]) if b"tagcf" in metadata else None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as broken:
        facts = {"path": path, "detail": broken, "command": f"tagcf effects {workspace.root}"}
        raise OutputError("error.broken_output", **facts) from broken


def as_doubted(stored: TagEffects, found: TagEffects) -> TagEffects | None:
    """Put the verdicts that the stored doubts left in the place of those just found.

    None where the stored effects are not the same estimates: their doubts don't speak of these.
    """
    kept = {_place(effect): effect for effect in stored.effects}
    for effect in found.effects:
        old = kept.get(_place(effect))
        if effect.segment is None and (old is None or _numbers(old) != _numbers(effect)):
            return None
    return replace(
        found,
        effects=tuple(
            kept[_place(effect)] if effect.segment is None else effect for effect in found.effects
        ),
        doubts=stored.doubts,
    )


def _place(effect: Effect) -> tuple[str | None, ...]:
    return effect.tag, effect.outcome, effect.segment, effect.method, effect.estimand


def _numbers(effect: Effect) -> tuple[float | None, ...]:
    return effect.estimate, effect.se, effect.ci_low, effect.ci_high, effect.n_rows


def merge(old: TagEffects, new: TagEffects) -> TagEffects:
    """Put the methods of `new` in the place of the same methods of `old`.

    Effects of another version of the tag tree are of other tags: nothing of them is kept.
    """
    if old.tags_version != new.tags_version:
        return new
    methods = {effect.method for effect in new.effects}
    return TagEffects(
        effects=tuple(
            [effect for effect in old.effects if effect.method not in methods] + list(new.effects)
        ),
        joint=new.joint or old.joint,
        balance=new.balance or old.balance,
        doubts=new.doubts if "joint" in methods else old.doubts,
        n_rows=new.n_rows,
        n_items=new.n_items,
        n_users=new.n_users,
        simulated=new.simulated,
        tags_version=new.tags_version,
    )


def effect_json(effect: Effect) -> dict[str, Any]:
    """One effect as the contract's JSON object, its reason as a sentence."""
    row = _row(effect)
    row["reason"] = None if effect.reason is None else str(effect.reason)
    row["diagnostics"] = effect.diagnostics
    return row


def effects_frame(found: TagEffects) -> pl.DataFrame:
    """All effects as a table, reasons as sentences."""
    rows = [effect_json(effect) for effect in found.effects]
    for row in rows:
        row["diagnostics"] = json.dumps(row["diagnostics"], ensure_ascii=False)
    return pl.DataFrame(pa.Table.from_pylist(rows, schema=_SCHEMA))


def _row(effect: Effect) -> dict[str, Any]:
    row = {name: getattr(effect, name) for name in _SCHEMA.names}
    row["diagnostics"] = json.dumps(effect.diagnostics, ensure_ascii=False)
    if effect.reason is not None:
        facts = dict(effect.reason.facts)
        row["reason"] = json.dumps({"key": effect.reason.key, **facts}, ensure_ascii=False)
    return row


def _effect(row: dict[str, Any]) -> Effect:
    row = dict(row)
    row["diagnostics"] = json.loads(row["diagnostics"])
    if row["reason"] is not None:
        facts = json.loads(row["reason"])
        row["reason"] = Reason(facts.pop("key"), tuple(facts.items()))
    return Effect(**row)


def _arrays(found: TagEffects) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "fits": np.array([f"{fit.outcome}\n{fit.kind}\n{fit.estimand}" for fit in found.joint]),
        "balance_tag": np.array([row.tag for row in found.balance], dtype=str),
        "balance_control": np.array([row.control for row in found.balance], dtype=str),
        "balance": np.array([(row.before, row.after) for row in found.balance]).reshape(-1, 2),
    }
    for at, fit in enumerate(found.joint):
        arrays[f"{at}_tags"] = np.array(fit.tags)
        arrays[f"{at}_baseline"] = np.array(fit.baseline)
        for name in ("coef", "cov", "df", "usable"):
            arrays[f"{at}_{name}"] = getattr(fit, name)
    return arrays


def _fits(arrays: Any) -> tuple[JointFit, ...]:
    fits = []
    for at, head in enumerate(arrays["fits"]):
        outcome, kind, estimand = str(head).split("\n")
        fits.append(
            JointFit(
                outcome=outcome,
                kind=kind,  # type: ignore[arg-type]  # written by _arrays
                tags=tuple(str(tag) for tag in arrays[f"{at}_tags"]),
                coef=arrays[f"{at}_coef"],
                cov=arrays[f"{at}_cov"],
                df=arrays[f"{at}_df"],
                usable=arrays[f"{at}_usable"],
                baseline=float(arrays[f"{at}_baseline"]),
                estimand=estimand,  # type: ignore[arg-type]  # written by _arrays
            )
        )
    return tuple(fits)


def _balance(arrays: Any) -> tuple[Balance, ...]:
    values = zip(arrays["balance_tag"], arrays["balance_control"], arrays["balance"], strict=True)
    return tuple(
        Balance(str(tag), str(control), float(pair[0]), float(pair[1]))
        for tag, control, pair in values
    )
