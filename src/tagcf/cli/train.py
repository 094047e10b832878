"""``tagcf train``: learn to recommend from a workspace's log, tags and effects."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import click

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option, seed_option
from tagcf.cli.tags_changed import say_tags_older
from tagcf.cli.talk import tell
from tagcf.cli.trained import model_path, origin_of, say_unknown_users, standing_rules
from tagcf.cli.trained_scale import scale_json, scale_sentences
from tagcf.cli.trained_terms import roles_of, term_sentences, terms_json
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.effects.store import effects_path, read_effects
from tagcf.recommend.recommender import Recommender
from tagcf.tags.matrix import has_tags, load_tags
from tagcf.text import say
from tagcf.types import EventLog, TagEffects, TagMatrix
from tagcf.views.labels import join, outcome_label


@click.command("train", epilog="tagcf train DIR   |   tagcf train DIR --model fused --json")
@folder_argument
@click.option(
    "--model",
    type=click.Choice(["linear", "transformer", "fused"]),
    help="default: [recommend] model",
)
@click.option("--no-search", is_flag=True, help="hyper-parameters as they are by default")
@seed_option
@json_option
@lang_option
def train_(
    folder: Path,
    model: Literal["linear", "transformer", "fused"] | None,
    no_search: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Learn to recommend; `tagcf recommend` and `tagcf explain` then use the model."""
    started = time.process_time()
    workspace = open_workspace(folder)
    rules = standing_rules(workspace)
    log = read_log(workspace)
    tags = _tags(workspace, log)
    effects = _effects(workspace) if tags is not None else None
    roles = None if tags is None else roles_of(workspace, log)
    settings = workspace.settings.recommend
    if model is not None:
        settings = settings.model_copy(update={"model": model})
    trained = Recommender.fit(
        log,
        tags,
        effects,
        settings,
        roles=roles,
        rules=rules,
        threshold=workspace.settings.tags.threshold,
        seed=workspace.settings.seed if seed is None else seed,
        search=not no_search,
        progress=lambda stage: tell(f"recommend.training_{stage}"),
        origin=origin_of(workspace),
    )
    say_unknown_users(trained, rules)
    path = trained.save(model_path(workspace))
    facts = _facts(trained, path, time.process_time() - started)
    if log.simulated:
        tell("recommend.simulated")
    if as_json:
        echo_json(facts, indent=1)
    else:
        large = scale_sentences(trained.models, len(trained.catalogue.items))
        _print(facts, [*large, *term_sentences(trained)], searched=not no_search)


def _tags(workspace: Workspace, log: EventLog) -> TagMatrix | None:
    """Tags where there are any; a table that is there and broken stops the run."""
    if not has_tags(workspace):
        tell("recommend.trained_without_tags", path=workspace.root)
        return None
    tags = load_tags(workspace, log)
    say_tags_older(workspace)
    return tags


def _effects(workspace: Workspace) -> TagEffects | None:
    """Effects where there are any; what is there and broken stops the run."""
    if not effects_path(workspace).is_file():
        tell("recommend.trained_without_effects", path=workspace.root)
        return None
    return read_effects(workspace)


def _facts(trained: Recommender, path: Path, cpu: float) -> dict[str, Any]:
    ranker = trained.models.ranker
    names = () if ranker is None else ranker.names
    calibration = () if ranker is None else ranker.described.calibration
    return {
        "model": trained.settings.model,
        "version": trained.version,
        "effects": None if trained.evidence is None else trained.evidence.version,
        "users": len(trained.people.ids),
        "items": len(trained.catalogue.items),
        "events": int(trained.people.learned.item.size),
        "validation_ndcg@10": trained.validation,
        "calibration": {
            name: {"error": one.error, "before": one.before}
            for name, one in zip(names, calibration, strict=True)
            if one.error == one.error
        },
        "terms": terms_json(trained),
        "scale": scale_json(trained.models),
        "path": str(path),
        "cpu_s": round(cpu, 2),
        "simulated": trained.simulated,
    }


def _print(facts: dict[str, Any], on_terms: list[str], *, searched: bool) -> None:
    value = facts["validation_ndcg@10"]
    worth = say("recommend.trained_plain" if searched else "recommend.trained_unsearched")
    if value is not None:
        worth = say("recommend.trained_worth", value=f"{value:.4f}")
    counts = {name: f"{facts[name]:,}" for name in ("users", "items", "events")}
    click.echo(
        say(
            "recommend.trained",
            version=facts["version"],
            cpu=f"{facts['cpu_s']:.1f}",
            worth=worth,
            **counts,
        )
    )
    for sentence in (*_calibration(facts["calibration"]), *on_terms):
        click.echo(sentence)
    click.echo(say("recommend.trained_path", path=facts["path"]))


def _calibration(found: dict[str, dict[str, float]]) -> list[str]:
    """A sentence on each outcome that calibration changed, and one on all others."""
    told, same = [], []
    for name, one in found.items():
        figures = {key: f"{value:.4f}" for key, value in one.items()}
        if figures["error"] == figures["before"]:
            same.append(f"{outcome_label(name)} {figures['error']}")
        else:
            told.append(
                say("recommend.trained_calibration", outcome=outcome_label(name), **figures)
            )
    if same:
        told.append(say("recommend.trained_uncalibrated", errors=join(same)))
    return told
