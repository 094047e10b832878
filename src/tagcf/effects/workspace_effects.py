"""Effects of a workspace: from its settings to the question, and every method that applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tagcf.data.workspace import Workspace
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import (
    Joint,
    Matching,
    Naive,
    ObservationalBias,
    Robust,
    TwoStage,
    Using,
)
from tagcf.effects.sensitivity.doubt import cast_doubt
from tagcf.effects.sensitivity.evidence import Doubting
from tagcf.effects.store import merge
from tagcf.effects.task import Question, select
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.tags.graph import load_graph
from tagcf.text import did_you_mean
from tagcf.types import Estimand, EventLog, Tag, TagEffects, TagMatrix


def question_of(
    workspace: Workspace,
    tags: TagMatrix,
    *,
    by: tuple[tuple[str, ...], ...] | None = None,
    estimand: Estimand | None = None,
) -> Question:
    """Turn the settings into a question; `by` None splits by each configured segment."""
    settings = workspace.settings.tags
    graph = load_graph(workspace, tags.tags)
    hold = None
    if settings.control_for != "all":
        hold = tuple(find_tag(name, tags.tags).slug for name in settings.control_for)
    return Question(
        by=tuple((name,) for name in workspace.settings.design.segments) if by is None else by,
        estimand=estimand,
        min_items=settings.min_items,
        threshold=settings.threshold,
        hold=hold,
        descendants={tag.slug: graph.descendants(tag.slug) for tag in tags.tags},
        near_duplicates=graph.near_duplicates,
    )


def find_tag(name: str, tags: tuple[Tag, ...]) -> Tag:
    """Find a tag by slug, zh or en name, or alias (raises `UnknownNameError`)."""
    wanted = name.casefold()
    for tag in tags:
        if wanted in {one.casefold() for one in (tag.slug, tag.zh, tag.en, *tag.aliases)}:
            return tag
    names = [one for tag in tags for one in (tag.slug, tag.zh, tag.en)]
    raise UnknownNameError("error.unknown_tag", name=name, hint=did_you_mean(name, names))


def of_facets(tags: TagMatrix, facets: list[str]) -> TagMatrix:
    """Keep the tags of the named facets; all where none is named."""
    if not facets:
        return tags
    return of_tags(tags, [tag.slug for tag in tags.tags if tag.facet in facets])


def of_tags(tags: TagMatrix, slugs: Sequence[str]) -> TagMatrix:
    """Keep the tags of these slugs."""
    wanted = set(slugs)
    return select(tags, [at for at, tag in enumerate(tags.tags) if tag.slug in wanted])


def methods_of(workspace: Workspace, log: EventLog) -> dict[str, Using]:
    """Every method that the log allows, by the name it has on the command line."""
    design = workspace.settings.design
    bias = ObservationalBias(design.observational_bias) if design.observational_bias else None
    methods: dict[str, Using] = {
        "joint": Joint(bias=bias),
        "naive": Naive(),
        "matching": Matching(exact=tuple(design.exact), bias=bias),
        "robust": Robust(bias=bias),
    }
    if log.instruments:
        methods["iv"] = TwoStage()
    return methods


def estimate_workspace(
    workspace: Workspace, log: EventLog, tags: TagMatrix, question: Question, only: str | None
) -> TagEffects:
    """Run one method, or all that apply, on the tags of the settings' facets.

    Raises
    ------
    EstimationError
        No tags, or `only` is "iv" and no instruments are configured.
    """
    chosen = of_facets(tags, workspace.settings.tags.facets)
    if not chosen.tags:
        raise EstimationError("error.no_tags", path=workspace.root)
    methods = methods_of(workspace, log)
    if only is not None:
        if only not in methods:
            raise EstimationError("error.no_instruments")
        return estimate_effects(log, chosen, methods[only], question)
    found: TagEffects | None = None
    for name, using in methods.items():
        # Segments are told by the joint estimator; another method splits only when asked for.
        asked = question if name == "joint" else replace(question, by=())
        one = estimate_effects(log, chosen, using, asked)
        found = one if found is None else merge(found, one)
    assert found is not None  # noqa: S101 (joint always applies)
    return found


def doubt_workspace(
    workspace: Workspace,
    log: EventLog,
    tags: TagMatrix,
    question: Question,
    found: TagEffects,
    *,
    negative_outcomes: tuple[str, ...] = (),
    shown: tuple[str, ...] = (),
) -> TagEffects:
    """Doubt the joint effects of `found`, as `estimate_workspace` found them.

    Parameters
    ----------
    negative_outcomes
        Outcomes that were measured before the impression.
    shown
        Slugs of tags whose pictures are wanted, claimed or not.
    """
    doubting = Doubting(
        exact=tuple(workspace.settings.design.exact),
        negative_outcomes=negative_outcomes,
        tags=shown,
    )
    chosen = of_facets(tags, workspace.settings.tags.facets)
    return cast_doubt(log, chosen, found, Joint(), question, doubting)
