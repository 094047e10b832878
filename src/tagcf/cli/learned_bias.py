"""``tagcf effects --learn-bias``, and what is said of a bias that intervals allow for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from tagcf.cli.effect_cells import print_table
from tagcf.cli.json_text import echo_json
from tagcf.cli.tags_changed import say_tags_older
from tagcf.data.read import read_log
from tagcf.data.settings_file import render_table
from tagcf.data.workspace import open_workspace
from tagcf.effects.bias_halves import SPLITS, learn_bias_within
from tagcf.effects.estimate import check_names
from tagcf.effects.joint.fuse import FEWEST_CONTRASTS
from tagcf.effects.learned_bias import LearnedBias
from tagcf.effects.methods import Joint, Matching, Robust
from tagcf.effects.workspace_effects import methods_of, of_facets, question_of
from tagcf.tags.matrix import load_tags
from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.labels import rung_label

COLUMNS = ("outcome", "rung", "bias", "contrasts", "beyond", "beyond_with_bias")


def check_alone(using: str | None, *others: object) -> None:
    """Raise `click.UsageError` where an option, or the method, does not go with learning."""
    if any(others) or using in {"iv", "naive"}:
        raise click.UsageError(say("error.learn_bias_alone"))


def learn_in(
    folder: Path, using: str | None, outcomes: tuple[str, ...], *, strict: bool, as_json: bool
) -> int:
    """Learn the bias of a method from a workspace that was randomised in part, and print it."""
    workspace = open_workspace(folder)
    log = read_log(workspace)
    tags = load_tags(workspace, log)
    check_names(log, outcomes, ())
    say_tags_older(workspace)
    question = replace(question_of(workspace, tags), outcomes=outcomes)
    method = methods_of(workspace, log)[using or Joint.name]
    assert isinstance(method, Joint | Matching | Robust)  # noqa: S101 (`check_alone`)
    click.echo(say("effects.learning_bias", splits=SPLITS), err=True)
    chosen = of_facets(tags, workspace.settings.tags.facets)
    found = learn_bias_within(log, chosen, method, question, seed=workspace.settings.seed)
    learned = tuple(replace(one, sd=float(f"{one.sd:.3g}")) for one in found)
    if as_json:
        echo_json({"learned_bias": [asdict(one) for one in learned]}, indent=1)
    elif learned:
        _print(learned)
    hidden = [one.outcome for one in learned if not one.seen]
    told = {one.outcome for one in learned}
    asked = [one.name for one in log.outcomes if not outcomes or one.name in outcomes]
    _echo_of("bias_not_seen", hidden)
    _echo_of("bias_not_learned", [name for name in asked if name not in told])
    return 3 if strict and not learned else 0


def _echo_of(key: str, outcomes: Sequence[str]) -> None:
    if outcomes:
        facts = {"outcomes": ", ".join(outcomes), "need": FEWEST_CONTRASTS}
        click.echo(say(f"effects.{key}", **facts), err=True)


def _print(learned: Sequence[LearnedBias]) -> None:
    click.echo(say("effects.heading_bias"))
    rows = [
        [
            *(one.outcome, rung_label(one.rung), f"{one.sd:.3g}", str(one.tags)),
            *(f"{one.beyond_two_errors:.1%}", f"{one.beyond_with_bias:.1%}"),
        ]
        for one in learned
    ]
    print_table(COLUMNS, rows, set(COLUMNS[2:]))
    click.echo(say("effects.bias_paste"), err=True)
    click.echo()
    click.echo(render_table("design.observational_bias", {one.outcome: one.sd for one in learned}))


def say_bias(shown: Sequence[Effect], named: Collection[str]) -> None:
    """Say what was allowed for, which outcomes have no bias, and where none is needed.

    Parameters
    ----------
    named
        Outcomes of ``[design] observational_bias``.
    """
    can_allow = {Joint.name, Matching.name, Robust.name}
    own = [one for one in shown if one.method in can_allow and one.verdict != "cannot tell"]
    told = [one for one in own if "bias_sd" in one.diagnostics]
    sds = {one.outcome: one.diagnostics["bias_sd"] for one in told}
    applied = [f"{name} {sd:.3g}" for name, sd in sds.items() if isinstance(sd, float)]
    if applied:
        click.echo(say("effects.bias_applied", sds=", ".join(applied)), err=True)
    _echo_of("bias_missing", [name for name, sd in sds.items() if sd is None])
    randomised = {one.outcome for one in own if one.outcome in named} - sds.keys()
    _echo_of("bias_unused", sorted(randomised))
