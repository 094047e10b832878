"""The logic graph: edges found in simulated worlds, and held-out topics and users on real data.

Run ``python -m benchmarks.logic``; it writes ``benchmarks/results/logic.json``.

Real data has no role tags, so stand-ins are used, and named as such. HetRec Last.fm: listeners'
tags; those of mood, occasion and audience (`MOODS`) stand in for roles, the commonest others are
topics.
MovieLens 100k: genres are topics; a film carries a role (man, woman, age band) if raters of one
half of the users are of that group more often than by chance.

*Held-out topics.* Of a user outside the graph's users, ten items are known. Topics of none of them
are ranked; right are those among the user's other items. Measured by the area under the ROC curve
per user (chance .5), against popularity of topics and against direct topic → topic lifts by the
same estimator; differences with 95 % bootstrap intervals over users.

*Captions.* Roles found in sixty captions (tests/tags/role_captions.toml), labelled by the author of
the vocabulary: the half not used for tuning, strengths from .5 on, three roles at most.

*Known groups.* On MovieLens the roles inferred for the other half of the users are held against
what those users said of themselves.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse, stats

from benchmarks.logic_world import Kind, logic_world
from benchmarks.record import shared_data, write_result
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.tags.encode import TextEncoder
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.roles.engagement import read_engagement, user_blocks
from tagcf.tags.roles.graph import build_logic
from tagcf.tags.roles.infer import topic_scores
from tagcf.tags.roles.items import encode_roles, role_encoders
from tagcf.tags.roles.pairs import lifts_of, sum_pairs
from tagcf.tags.roles.users import user_roles
from tagcf.types import EventLog, Tag, TagMatrix

ROOT = Path(__file__).resolve().parents[1]
SEEDS = 20
KNOWN = 10  # items of a held-out user that are known
FOLDS = 5
MOODS = (
    "chillout",
    "chill",
    "relax",
    "relaxing",
    "mellow",
    "calm",
    "party",
    "dance",
    "workout",
    "driving",
    "summer",
    "sleep",
    "study",
    "love",
    "romantic",
    "sad",
    "melancholy",
    "melancholic",
    "happy",
    "fun",
    "sexy",
    "guilty pleasure",
    "nostalgia",
    "emo",
    "gothic",
    "hipster",
    "club",
    "dark",
    "angry",
    "epic",
    "dreamy",
    "sweet",
    "energetic",
    "atmospheric",
    "beautiful",
    "female vocalists",
    "male vocalists",
    "oldies",
    "60s",
    "70s",
    "80s",
    "90s",
    "00s",
)


# ── simulated worlds ────────────────────────────────────────────────────────
def recovery(shown: bool) -> dict[str, float]:
    """Precision and recall of positive edges where roles cause tastes."""
    found, right, there, mechanical = 0, 0, 0, 0
    for seed in range(SEEDS):
        world = logic_world("roles", shown=shown, seed=100 + seed)
        graph = build_logic(world.log, world.tags, world.roles)
        for edges, true, same in (
            (graph.to_roles, world.true, world.mechanical),
            (graph.to_topics, world.true.T, world.mechanical.T),
        ):
            up = edges.weight > 0
            at = edges.source[up], edges.target[up]
            found += int(up.sum())
            right += int(true[at].sum())
            there += int(true.sum())
            mechanical += int((same[at] & ~true[at]).sum())
    return {
        "precision": round(right / found, 4),
        "recall": round(right / there, 4),
        "edges": found,
        "mechanical pairs among them": mechanical,
        "worlds": SEEDS,
    }


def false_finds(kind: Kind, shown: bool) -> dict[str, float]:
    """Edges found, and p-values below .05, where there are none."""
    below, pairs, edges, worlds = 0, 0, 0, 0
    for seed in range(SEEDS):
        world = logic_world(kind, shown=shown, seed=200 + seed)
        reading = read_engagement(world.log)
        blocks = partial(user_blocks, world.log, reading)
        carried = world.tags.carried(), world.roles.carried()
        lifts = lifts_of(sum_pairs(blocks, *carried, shown=reading.shown))
        below += int((lifts.p < 0.05).sum())
        pairs += int((~np.isnan(lifts.p)).sum())
        here = int((lifts.q <= 0.1).sum())
        edges += here
        worlds += here > 0
    return {
        "share of p < .05": round(below / pairs, 4),
        "edges per world": edges / SEEDS,
        "share of worlds with any edge": worlds / SEEDS,
        "pairs per world": pairs / SEEDS,
    }


# ── held-out topics ─────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Profiles:
    """Who engaged with what, and what the items carry."""

    engaged: sparse.csr_array  # (U, I) 0/1
    topics: sparse.csr_array  # (I, T) 0/1
    roles: sparse.csr_array  # (I, R) 0/1


def held_out_topics(data: Profiles, seed: int = 0) -> dict[str, Any]:
    """Areas under the curve per user, pooled over folds of users."""
    draw = np.random.default_rng(seed)
    fold = draw.integers(FOLDS, size=data.engaged.shape[0])
    names = ("popularity", "two hops", "popularity and two hops", "popularity and topic to topic")
    areas: dict[str, list[float]] = {name: [] for name in names}
    edges: list[int] = []
    for held in range(FOLDS):
        log, tags, roles = _log(data, np.flatnonzero(fold != held))
        graph = build_logic(log, tags, roles)
        edges.append(len(graph.to_roles) + len(graph.to_topics))
        direct = _topic_to_topic(log, tags)
        popular = np.log(np.maximum(graph.topic_share, 1e-6))
        for user in np.flatnonzero(fold == held):
            items = data.engaged[[user]].indices
            if len(items) < 2 * KNOWN:
                continue
            known = draw.choice(items, KNOWN, replace=False)
            rest = np.setdiff1d(items, known)
            interest = np.asarray(data.topics[known].sum(axis=0)).ravel()
            new = interest == 0
            right = np.asarray(data.topics[rest].sum(axis=0)).ravel()[new] > 0
            if not right.any() or right.all():
                continue
            two = topic_scores(graph, sparse.csr_array(interest[None]))[0]
            usual = graph.topic_share / graph.topic_share.sum()
            one = (interest / max(interest.sum(), 1) - usual) @ direct
            for name, score in zip(
                names,
                (popular, two, popular + _scaled(two, popular), popular + _scaled(one, popular)),
                strict=True,
            ):
                areas[name].append(_area(score[new], right))
    table = {name: np.array(values) for name, values in areas.items()}
    return {
        "users": len(table["popularity"]),
        "edges of the graphs": edges,
        "area under the curve": {k: round(float(v.mean()), 4) for k, v in table.items()},
        "minus popularity, 95 %": {
            k: _interval(v - table["popularity"]) for k, v in table.items() if k != "popularity"
        },
    }


def _scaled(score: np.ndarray, popular: np.ndarray) -> np.ndarray:
    """Scores over topics at a quarter of popularity's spread: one weight, chosen beforehand."""
    spread = float(score.std())
    return score * (0.25 * float(popular.std()) / spread) if spread > 0 else score


def _topic_to_topic(log: EventLog, tags: TagMatrix) -> np.ndarray:
    """(T, T) shrunken lifts between topics, positive and sure ones."""
    reading = read_engagement(log)
    carried = tags.carried()
    lifts = lifts_of(
        sum_pairs(partial(user_blocks, log, reading), carried, carried, shown=reading.shown)
    )
    sure = (lifts.q <= 0.1) & (lifts.shrunk > 0)
    np.fill_diagonal(sure, False)
    return np.where(sure, lifts.shrunk, 0.0)


def _area(score: np.ndarray, right: np.ndarray) -> float:
    """Area under the ROC curve; ties count half."""
    ranks = stats.rankdata(score)
    n = int(right.sum())
    return float((ranks[right].sum() - n * (n + 1) / 2) / (n * (len(right) - n)))


def _interval(difference: np.ndarray, draws: int = 2000) -> list[float]:
    generator = np.random.default_rng(0)
    rows = generator.integers(len(difference), size=(draws, len(difference)))
    low, high = np.quantile(difference[rows].mean(axis=1), [0.025, 0.975])
    return [round(float(one), 4) for one in (difference.mean(), low, high)]


def _log(data: Profiles, users: np.ndarray) -> tuple[EventLog, TagMatrix, TagMatrix]:
    table = data.engaged[users].tocoo()
    log = log_from_arrays(item=table.col, user=table.row, outcomes={"took": np.ones(table.nnz)})
    at = np.array([int(one) for one in log.items.ids.to_pylist()])
    topics = [f"topic-{k}" for k in range(data.topics.shape[1])]
    roles = [Tag(f"role-{k}", f"role-{k}", f"role {k}", "role") for k in range(data.roles.shape[1])]
    return (
        log,
        tags_from_arrays(log.items, data.topics[at], topics),
        tags_from_arrays(log.items, data.roles[at], roles),
    )


# ── real data ───────────────────────────────────────────────────────────────
def lastfm(folder: Path) -> tuple[Profiles, dict[str, int]]:
    """Artists with listeners' tags; two assignments make a tag."""
    plays = pl.read_csv(folder / "user_artists.dat", separator="\t").rename({"//userID": "userID"})
    given = pl.read_csv(folder / "user_taggedartists.dat", separator="\t")
    text = (folder / "tags.dat").read_text("latin-1").splitlines()[1:]
    named = pl.DataFrame(
        [(int(number), name) for number, name in (line.split("\t") for line in text)],
        schema=["tagID", "tag"],
        orient="row",
    )
    tagged = (
        given.join(named, on="tagID")
        .group_by("artistID", "tag")
        .len()
        .filter(pl.col("len") >= 2)
        .sort("artistID", "tag")
    )
    count = tagged.group_by("tag").len().sort(["len", "tag"], descending=[True, False])
    moods = count.filter(pl.col("tag").is_in(MOODS) & (pl.col("len") >= 10))["tag"].to_list()
    topics = count.filter(~pl.col("tag").is_in(MOODS))["tag"].head(150).to_list()
    artists = tagged["artistID"].unique().sort().to_list()
    items = {artist: k for k, artist in enumerate(artists)}
    users = {user: k for k, user in enumerate(plays["userID"].unique().sort().to_list())}
    plays = plays.filter(pl.col("artistID").is_in(artists))

    def carried(tags: list[str]) -> sparse.csr_array:
        rows = tagged.filter(pl.col("tag").is_in(tags))
        at = (
            [items[one] for one in rows["artistID"]],
            [tags.index(one) for one in rows["tag"]],
        )
        return sparse.csr_array((np.ones(rows.height), at), shape=(len(items), len(tags)))

    where = ([users[one] for one in plays["userID"]], [items[one] for one in plays["artistID"]])
    engaged = sparse.csr_array((np.ones(plays.height), where), shape=(len(users), len(items)))
    facts = {"users": len(users), "artists": len(items), "topics": len(topics), "moods": len(moods)}
    return Profiles(engaged, carried(topics), carried(moods)), facts


GROUPS = ("woman", "man", "under 25", "25 to 34", "35 to 49", "50 and over")


def movielens(folder: Path) -> tuple[Profiles, np.ndarray, np.ndarray]:
    """Films liked (4 or 5 stars), the groups of users (U, 6), and which users made the roles."""
    read = partial(pl.read_csv, separator="\t", infer_schema_length=None, quote_char=None)
    ratings, films, people = (
        read(folder / f"ml-100k.{name}") for name in ("inter", "item", "user")
    )
    people = people.rename(lambda name: name.split(":")[0]).sort("user_id")
    films = films.rename(lambda name: name.split(":")[0]).sort("item_id")
    ratings = ratings.rename(lambda name: name.split(":")[0]).filter(pl.col("rating") >= 4)
    at = (ratings["user_id"].to_numpy() - 1, ratings["item_id"].to_numpy() - 1)
    engaged = sparse.csr_array((np.ones(ratings.height), at), shape=(people.height, films.height))
    listed = [str(one or "").split() for one in films["class"]]
    genres = sorted({genre for one in listed for genre in one} - {"unknown"})
    topics = sparse.csr_array(np.array([[g in one for g in genres] for one in listed], float))
    age, woman = people["age"].to_numpy(), (people["gender"] == "F").to_numpy()
    band = np.digitize(age, [25, 35, 50])
    groups = np.column_stack([woman, ~woman, *(band == k for k in range(4))]).astype(float)
    makers = np.random.default_rng(0).random(people.height) < 0.5
    return Profiles(engaged, topics, _group_roles(engaged, groups, makers)), groups, makers


def _group_roles(
    engaged: sparse.csr_array, groups: np.ndarray, makers: np.ndarray
) -> sparse.csr_array:
    """(I, G) films that more of a group like than by chance (1.5 errors), among the makers."""
    liked = engaged[makers]
    count = liked.T @ groups[makers]
    every = np.asarray(liked.sum(axis=0)).ravel()[:, None]
    share = (np.asarray(liked.sum(axis=1)).ravel()[:, None] * groups[makers]).sum(axis=0)
    share = share / every.sum()
    expected = every * share
    over = count - expected >= 1.5 * np.sqrt(np.maximum(expected * (1 - share), 1e-9))
    return sparse.csr_array((over & (every >= 10)).astype(float))


def known_groups(data: Profiles, groups: np.ndarray, makers: np.ndarray) -> dict[str, Any]:
    """How well inferred roles tell what users outside the makers said of themselves."""
    others = np.flatnonzero(~makers)
    log, _, roles = _log(data, others)
    found = user_roles(log, roles)
    who = others[np.array([int(one) for one in log.users.ids.to_pylist()])]
    told = found.events >= found.min_events
    lift, low = found.lift.toarray(), found.low.toarray()
    result: dict[str, Any] = {"users": int(told.sum()), "cannot tell": int((~told).sum())}
    for k, name in enumerate(GROUPS):
        truth = groups[who, k] > 0
        claimed = told & (low[:, k] > 1)
        result[name] = {
            "area under the curve": round(_area(lift[told, k], truth[told]), 3),
            "share of users": round(float(truth[told].mean()), 3),
            "share among those said to be": round(float(truth[claimed].mean()), 3),
            "said to be": int(claimed.sum()),
        }
    return result


def captions(using: Sequence[TextEncoder]) -> dict[str, float]:
    """Right among found, and captions with a right one."""
    labels = ROOT / "tests" / "tags" / "role_captions.toml"
    held = tomllib.loads(labels.read_text("utf-8"))["captions"][1::2]
    found = encode_roles(pl.Series([one["text"] for one in held]), using=using)
    slugs = np.array([role.slug for role in found.tags])
    right, said, told = 0, 0, 0
    for one, strength in zip(held, found.strength.toarray(), strict=True):
        order = [k for k in np.argsort(-strength, kind="stable") if strength[k] >= 0.5][:3]
        hits = sum(slugs[k] in one["roles"] for k in order)
        right, said, told = right + hits, said + len(order), told + (hits > 0)
    return {
        "captions": len(held),
        "roles found": said,
        "precision": round(right / max(said, 1), 3),
        "captions with a right role": round(told / len(held), 3),
    }


def main() -> None:
    """Measure and record."""
    data = shared_data()
    artists, facts = lastfm(data / "lastfm_hetrec")
    films, groups, makers = movielens(data / "ml_100k")
    others = Profiles(films.engaged[~makers], films.topics, films.roles)
    write_result(
        "logic",
        {
            "simulated, roles cause tastes": {
                "chosen items": recovery(shown=False),
                "shown items": recovery(shown=True),
            },
            "simulated, independent tastes": {
                "chosen items": false_finds("tastes", shown=False),
                "shown items": false_finds("tastes", shown=True),
                "shown items, aimed at groups": false_finds("targeted", shown=True),
                "chosen from a feed aimed at groups (the log cannot tell)": false_finds(
                    "targeted", shown=False
                ),
            },
            "held-out topics": {
                "Last.fm, mood tags in place of roles": facts | held_out_topics(artists),
                "MovieLens, groups of raters in place of roles": held_out_topics(others),
            },
            "known groups, MovieLens": known_groups(films, groups, makers),
            "roles of captions": {
                "words": captions([Lexicon()]),
                "words and meaning": captions(role_encoders()),
            },
        },
    )


if __name__ == "__main__":
    main()
