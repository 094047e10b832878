"""What a trained recommender learns afterwards, and what it forgets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tagcf.errors import EstimationError
from tagcf.recommend.cross_scores import unit_of
from tagcf.recommend.events import Event, Updated
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.rank.fitted import FittedRanker
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.terms.fitted import fit_terms
from tagcf.recommend.train import Trained


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `Recommender.forget` took out, and what keeps traces until it is trained again."""

    events: int
    exact: bool  # the model's statistics equal those of training without the user
    until_retrained: tuple[str, ...]


def take_in(trained: Trained, events: Iterable[Event]) -> Updated:
    """Add events to histories, in place."""
    people, position = trained.people, trained.catalogue.position
    taken = repeated = unknown = 0
    before = len(people.ids)
    for user, item, ts in events:
        code = position.get(item, -1)
        if code < 0 or not user:
            unknown += 1
        elif people.add(user, code, ts):
            taken += 1
        else:
            repeated += 1
    return Updated(taken, repeated, unknown, len(people.ids) - before)


def learned(trained: Trained) -> Trained:
    """Fold the events that came since into the linear model.

    Raises
    ------
    EstimationError
        The model is not linear.
    """
    fitted = trained.models.fitted
    if not isinstance(fitted, FittedLinear):
        raise EstimationError("recommend.cannot_learn", model=trained.settings.model)
    before, after = trained.people.before_and_after()
    people = trained.people.settled()
    fitted = fitted.update(before, after, people.learned)
    return _refitted(replace(trained, people=people), fitted)


def forgotten(trained: Trained, user: str) -> tuple[Trained, Forgotten]:
    """Take a user out of the histories, the model, and the ranker's rows (these in place).

    Raises
    ------
    UnknownNameError
        There is no such user.
    """
    people, models = trained.people, trained.models
    at = people.require(user)
    events = len(people.history(at)[0])
    people, was = people.without(at)
    trained = replace(trained, people=people)
    left: list[str] = []
    if trained.roles is not None:
        trained = replace(trained, roles=trained.roles.without(at))
    if not isinstance(models.fitted, FittedLinear):
        left.append(trained.settings.model)
        trained = _refitted(trained, models.fitted)
    elif was.item.size:
        trained = _refitted(trained, models.fitted.unlearn(was, people.learned))
    if models.ranker is not None:
        left.append("outcomes")
        if at < len(models.ranker.tables.user) - 1:
            _as_unknown(models.ranker, at)
    return trained, Forgotten(events, isinstance(models.fitted, FittedLinear), tuple(left))


def _refitted(trained: Trained, fitted: Fitted) -> Trained:
    """Put another model in, and terms learned anew from the histories that are left."""
    unit = unit_of(fitted) if isinstance(fitted, FittedLinear) else None
    unit = None if trained.models.unit is None else unit
    terms = fit_terms(trained.choices, trained.side, trained.people.learned)
    models = replace(trained.models, fitted=fitted, unit=unit, terms=terms)
    return replace(trained, models=models)


def _as_unknown(ranker: FittedRanker, user: int) -> None:
    """Give a user the rows of an unknown one, in place."""
    tables = ranker.tables
    for table in (tables.user, tables.user_record, tables.user_context, tables.tastes):
        table[user] = table[-1]
    ranker.covariates.user[user] = ranker.covariates.user[-1]
    for one in ranker.returns:
        one.user[user] = one.user[-1]
