"""What training found about the terms on the model's scores: as JSON and in sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.terms.choices import Finding
from tagcf.tags.roles.store import has_roles
from tagcf.tags.roles.tables import RoleTables, load_roles
from tagcf.text import say
from tagcf.types import EventLog


def roles_of(workspace: Workspace, log: EventLog) -> RoleTables | None:
    """Roles where ``tagcf tag --roles`` was run; says so, and where they are of an older tree."""
    if not has_roles(workspace):
        return None
    found = load_roles(workspace, log.items, log.users)
    sure = found.user_roles_low.copy()
    sure.data = (sure.data > 0).astype(np.float32)
    users = int(((np.asarray(sure.sum(axis=1)).ravel() > 0) & found.user_told).sum())
    tell("recommend.trained_with_roles", roles=len(found.roles), users=f"{users:,}")
    if not found.current:
        tell("recommend.roles_not_current", path=workspace.root)
    return found


def terms_json(trained: Recommender) -> dict[str, Any]:
    """Strengths, and what validation said of each term."""
    choices = trained.choices
    told = asdict(choices)
    findings = {one.term: one for one in choices.findings}
    return {
        "cold": told["cold"],
        "segments": {"events": choices.segments, **_finding_json(findings.get("segments"))},
        "logic": {"weight": choices.logic, **_finding_json(findings.get("logic"))},
        "cold_prior": _finding_json(findings.get("cold")),
        "reach": {"strength": choices.reach, **(told["reached"] or {})},
        "roles": None if trained.roles is None else len(trained.roles.roles),
    }


def _finding_json(found: Finding | None) -> dict[str, Any]:
    if found is None:
        return {"tested": False}
    figures = {"gain": found.gain, "ci_low": found.low, "ci_high": found.high}
    known = {name: value if np.isfinite(value) else None for name, value in figures.items()}
    return {"tested": _tested(found), "best": found.weight, **known, "ships": found.ships}


def _tested(found: Finding) -> bool:
    """Whether there is an interval: none where the term changed no rank, or of a single user."""
    return bool(found.low < found.high)


def _finding_sentence(found: Finding) -> str:
    if not _tested(found):
        return say(f"recommend.trained_{found.term}_untested")
    return say(
        f"recommend.trained_{found.term}_{'on' if found.ships else 'off'}",
        gain=f"{found.gain:+.4f}",
        interval=f"{found.low:+.4f} … {found.high:+.4f}",
    )


def term_sentences(trained: Recommender) -> list[str]:
    """One sentence on each term that was tested."""
    told = [_finding_sentence(one) for one in trained.choices.findings]
    reached = trained.choices.reached
    if reached is not None:
        told.append(
            say(
                "recommend.trained_reach",
                loss=f"{reached.loss:.4f}",
                before=f"{100 * reached.coverage[0]:.1f}%",
                after=f"{100 * reached.coverage[1]:.1f}%",
                gini_before=f"{reached.gini[0]:.3f}",
                gini_after=f"{reached.gini[1]:.3f}",
            )
        )
    return told
