"""The recommender as other programs use it: fit, recommend, update, forget, explain, save, load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tagcf.errors import QuestionError
from tagcf.recommend.asking import Asking, ask, make_list
from tagcf.recommend.described import Described
from tagcf.recommend.events import Updated, parse_events
from tagcf.recommend.explain.explanation import explain_item
from tagcf.recommend.learning import Forgotten, forgotten, learned, take_in
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.listing import Showing
from tagcf.recommend.requested import (
    Who,
    asked_of,
    history_of,
    ids_of,
    length_of,
    seed_of,
    share_of,
)
from tagcf.recommend.roles import roles_of
from tagcf.recommend.steer import Rule, check_rules
from tagcf.recommend.train import train
from tagcf.settings import RecommendSettings
from tagcf.tags.roles.tables import RoleTables
from tagcf.types import EventLog, Explanation, Ranking, TagEffects, TagMatrix


class Recommender(Described):
    """Lists with reasons. Made by `fit` or `load`; ids are the platform's own throughout.

    `recommend` and `explain` change nothing; `update`, `learn`, `forget`, `steered_by` and `save`
    change the object. Any number of threads may read while one changes it: a list is made of the
    model as it was when the list was begun, and of histories with each event of an `update` or
    without; only predicted outcomes of a user who is forgotten change at once. Changes are to
    come from one thread at a time; a lock around them is the caller's.
    """

    @classmethod
    def fit(
        cls,
        log: EventLog,
        tags: TagMatrix | None = None,
        effects: TagEffects | None = None,
        settings: RecommendSettings | None = None,
        *,
        roles: RoleTables | None = None,
        rules: Sequence[Rule] = (),
        threshold: float = 0.5,
        seed: int = 0,
        search: bool = True,
        progress: Callable[[str], None] | None = None,
        origin: tuple[tuple[str, str], ...] = (),
    ) -> Recommender:
        """Train on a log.

        Parameters
        ----------
        tags, effects
            What items carry and what that does: reasons, steering, and predictions on items that
            have no record of their own. Without them lists are made of histories alone.
        roles
            Of the log's items and users (`load_roles`): the logic graph goes over them where that
            helps, new items are scored by them, too, and `explain` tells a user's.
        settings
            ``[recommend]`` of tagcf.toml.
        rules
            Steering that always stands; see `steer.read_rules`.
        threshold
            Strength from which an item carries a tag.
        search
            Choose the model's hyper-parameters on each user's last but one event; without, or
            where nobody has three events, they stay as they are by default.
        progress
            Called with the name of each stage.
        origin
            Names of what it is trained on, kept beside the model.

        Raises
        ------
        EstimationError
            No event of the log is positive.
        UnknownNameError
            Settings or rules name an outcome, tag or segment that does not exist.
        """
        chosen = settings or RecommendSettings()
        tell = progress or (lambda _: None)
        trained = train(
            log, tags, effects, chosen, roles,
            threshold=threshold, seed=seed, search=search, rules=rules, tell=tell,
        )  # fmt: skip
        return cls(replace(trained, origin=origin)).steered_by(rules)

    def steered_by(self, rules: Sequence[Rule]) -> Recommender:
        """Replace the standing rules; returns itself.

        Raises
        ------
        UnknownNameError
            A tag, segment column or level that does not exist. A user may come later.
        """
        check_rules(rules, self.catalogue, self.people.segments)
        self._trained = replace(self._trained, rules=tuple(rules))
        return self

    # ── lists ───────────────────────────────────────────────────────────────
    def recommend(
        self,
        users: str | Sequence[str] | None = None,
        *,
        histories: Sequence[Sequence[str]] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        channel: str | None = None,
        segments: Mapping[str, str] | None = None,
        rules: Sequence[Rule] = (),
        explore: float = 0.0,
        seed: int | None = None,
    ) -> list[Ranking]:
        """Make a list for each user, or for each history of anybody.

        Parameters
        ----------
        users
            Ids. Exactly one of `users` and `histories` is given.
        histories
            Item ids, oldest first, of people seen in training or not. Unknown ids are passed over,
            with a note; an empty history gets what is popular.
        k
            Length. Where fewer items can be had, fewer come, with a note.
        exclude_seen
            Leave out what the user has had.
        candidates
            Only these items may be shown; unknown ones are left out, with a note.
        channel, segments
            For which rules act; the segments of known users are known.
        rules
            More steering, for this request.
        explore, seed
            Chance that a place is drawn at random, told with each item, and the seed of the draw.
            The settings' share is for who logs what was shown: ``explore=settings.explore``.

        Raises
        ------
        UnknownNameError
            A user, or a rule's tag, that does not exist.
        QuestionError
            k is no whole number from 1, explore no share, seed no whole number from 0, neither or
            both of users and histories are given, or an id stands in the place of a list of ids.
        """
        who = asked_of(users, histories)
        allowed = None if candidates is None else ids_of(candidates, "candidates")
        k, explore, rng = length_of(k), share_of(explore), np.random.default_rng(seed_of(seed))
        trained, version = self._trained, self.version  # as they are now, for the whole request
        check_rules(rules, trained.catalogue, trained.people.segments)
        showing = Showing(k, trained.settings.diversity, explore, rng)
        asking = Asking(channel, segments or {}, (*trained.rules, *rules), exclude_seen)
        return [
            make_list(trained, ask(trained, version, one, asking, allowed), showing) for one in who
        ]

    def explain(
        self,
        user: str | None,
        item: str,
        *,
        history: Sequence[str] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        channel: str | None = None,
        segments: Mapping[str, str] | None = None,
        rules: Sequence[Rule] = (),
    ) -> Explanation:
        """Tell why an item is, or is not, among the first k for a user or a history.

        Reasons are put to the test by ranking again without them. `changes` are the smallest that a
        bounded search finds: single events and pairs among those that add most, then one after
        another; items that could have been had last; boosts of the item's tags.

        Raises
        ------
        UnknownNameError
            A user, item or tag that does not exist.
        """
        if (user is None) == (history is None):
            raise QuestionError("recommend.users_or_histories")
        k = length_of(k)
        trained = self._trained  # as it is now
        check_rules(rules, trained.catalogue, trained.people.segments)
        code = trained.catalogue.require(item)
        who: Who = history_of(history) if user is None else str(user)
        asking = Asking(channel, segments or {}, (*trained.rules, *rules), exclude_seen)
        asked = ask(trained, self.version, who, asking)
        found = explain_item(trained.models, trained.catalogue, trained.evidence, asked, code, k)
        return replace(found, roles=roles_of(trained.roles, trained.people, user))

    # ── what changes ────────────────────────────────────────────────────────
    def update(self, events: Any) -> Updated:
        """Take in events that count as positive: the next list knows them.

        The model's tables stay as they are until `learn`.

        Parameters
        ----------
        events
            Rows (user, item, ts), or a table (pyarrow, polars) with the columns ``user_id``,
            ``item_id`` and ``ts`` (epoch seconds or datetime; may be missing). New users are
            welcome; events on unknown items and repeats are counted and passed over.

        Raises
        ------
        DataError
            A column is missing or of another type.
        """
        done = take_in(self._trained, list(parse_events(events)))  # all are read, then taken in
        self._changes += done.events
        return done

    def learn(self) -> int:
        """Fold the events since training into the model; returns how many there were.

        The linear model then equals one fitted to everything, bit for bit, with the same
        hyper-parameters. Predicted outcomes are learned by `tagcf train` alone.

        Raises
        ------
        EstimationError
            The model is not linear.
        """
        count = sum(items.size for items, _ in self.people.recent.values())
        if not count:
            return 0
        self._trained = learned(self._trained)
        return count

    def forget(self, user: str) -> Forgotten:
        """Forget a user: name, history, and what the model learned from them.

        The linear model and its terms then equal those trained without the user's events, bit for
        bit, with the same hyper-parameters. These, means of items in predicted outcomes, and the
        weights of a transformer keep traces until `tagcf train`.

        Raises
        ------
        UnknownNameError
            There is no such user.
        """
        self._trained, done = forgotten(self._trained, user)
        self._changes += 1
        return done

    # ── on disk ─────────────────────────────────────────────────────────────
    def save(self, path: str | Path) -> Path:
        """Write everything into the folder `path`, whole or not at all; no pickle.

        Events since training are learned first where the model is linear; otherwise they are kept
        beside what was learned from.
        """
        from tagcf.recommend.model_store import save_trained

        if isinstance(self.models.fitted, FittedLinear):
            self.learn()
        return save_trained(Path(path), replace(self._trained, version=self.version))

    @classmethod
    def load(cls, path: str | Path) -> Recommender:
        """Read what `save` wrote.

        Raises
        ------
        OutputError
            The folder has no model, or one that is half-written, broken or of another version.
        """
        from tagcf.recommend.model_store import load_trained

        return cls(load_trained(Path(path)))
