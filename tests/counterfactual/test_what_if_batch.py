"""Many questions at once: the same answers as one at a time, and no row stops another."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tagcf.counterfactual.answer import ask
from tagcf.counterfactual.batch import what_if_many
from tagcf.errors import DataError, TagCFError

from .small import N_ITEMS, N_USERS, NAMES, small_ready

READY = small_ready()


def questions(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    picked = [list(rng.permutation(NAMES)[: rng.integers(0, 4)]) for _ in range(n)]
    cut = [int(rng.integers(0, len(one) + 1)) for one in picked]
    users = [None if rng.random() < 0.5 else f"u{rng.integers(N_USERS):03}" for _ in range(n)]
    return pl.DataFrame(
        {
            "item_id": [f"i{rng.integers(N_ITEMS):03}" for _ in range(n)],
            "user_id": users,
            "without": [one[:at] for one, at in zip(picked, cut, strict=True)],
            "with": [one[at:] for one, at in zip(picked, cut, strict=True)],
            "outcome": rng.choice(["click", "seconds", "return_7d"], n).tolist(),
        },
        schema_overrides={"without": pl.List(pl.String), "with": pl.List(pl.String)},
    )


def test_rows_are_what_ask_answers() -> None:
    asked = questions(400)
    answers = what_if_many(READY, asked)
    for question, row in zip(
        asked.iter_rows(named=True), answers.iter_rows(named=True), strict=True
    ):
        one = ask(
            READY,
            item=question["item_id"],
            user=question["user_id"],
            without=question["without"],
            with_=question["with"],
            outcome=question["outcome"],
        )
        for name in ("before", "after", "delta", "supported", "outcome"):
            assert row[name] == getattr(one, name), name
        for name in ("ci_low", "ci_high"):
            assert row[name] == pytest.approx(getattr(one, name)), name
        assert row["reason"] == (None if one.reason is None else str(one.reason))
        told = [(c["tag"], c["delta"], c["ci_low"], c["ci_high"]) for c in row["contributions"]]
        assert told == [(c.tag, c.delta, c.ci_low, c.ci_high) for c in one.contributions]
    assert not answers["supported"].all()
    assert answers["supported"].any()


def test_bad_rows_get_a_reason_and_the_others_their_answer() -> None:
    asked = pl.DataFrame(
        {
            "item_id": ["i000", "nope", "i000", "i000", "i000", None, "i000"],
            "user_id": [None, None, "who", None, None, None, None],
            "without": [["pets"], ["pets"], ["pets"], ["petz"], ["pets"], ["pets"], ["pets"]],
            "with": [[], [], [], [], ["pets"], [], []],
            "outcome": [None, None, None, None, None, None, "clik"],
        }
    )
    answers = what_if_many(READY, asked)
    assert len(answers) == len(asked)
    assert answers["supported"].to_list() == [True] + [False] * 6
    assert answers["outcome"][0] == "click"
    for at, says in enumerate(
        ['no item "nope"', 'no user "who"', "Did you mean: pets", "at once", "no item", "click"], 1
    ):
        row = answers.row(at, named=True)
        assert says in row["reason"]
        assert (row["delta"], row["contributions"]) == (None, [])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"item": ["i000"], "without": [["pets"]]}, "item_id"),
        ({"item_id": ["i000"]}, "without / with"),
        ({"item_id": ["i000"], "without": [3]}, "without"),
        ({"item_id": [["i000"]], "without": [["pets"]]}, "item_id"),
    ],
)
def test_missing_and_wrong_columns(asked: dict[str, list[object]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        what_if_many(READY, pl.DataFrame(asked))


def test_one_name_in_place_of_a_list_and_other_types_of_ids() -> None:
    asked = pl.DataFrame({"item_id": ["i000", "i001", "i002"], "with": ["humour", None, "pets"]})
    answers = what_if_many(READY, asked)
    one = ask(READY, item="i000", with_=["humour"])
    assert answers["delta"][0] == one.delta
    assert answers["delta"][1] == 0
    nothing = pl.DataFrame({"item_id": ["i000"], "without": [None]})
    assert what_if_many(READY, nothing)["delta"].to_list() == [0]
    assert what_if_many(READY, asked.with_columns(pl.col("item_id").cast(pl.Categorical))).equals(
        answers
    )


def test_no_questions() -> None:
    answers = what_if_many(READY, questions(3).clear())
    assert len(answers) == 0
    assert answers.schema == what_if_many(READY, questions(3)).schema


def test_a_missing_estimand_is_told_per_row() -> None:
    answers = what_if_many(READY, questions(40), estimand="total")
    by_outcome = dict(answers.group_by("outcome").agg(pl.col("delta").is_not_null().any()).rows())
    assert by_outcome == {"click": True, "seconds": False, "return_7d": False}
    assert isinstance(answers.filter(pl.col("outcome") == "seconds")["reason"][0], str)
    with pytest.raises(TagCFError):
        ask(READY, item="i000", outcome="seconds", estimand="total")


def test_blocks_do_not_change_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = questions(300, seed=1)
    whole = what_if_many(READY, asked)
    monkeypatch.setattr("tagcf.counterfactual.batch._BLOCK", 7)
    assert what_if_many(READY, asked).equals(whole)
