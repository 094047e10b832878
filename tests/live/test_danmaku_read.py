"""Readings held to sentences labelled by hand for these tests alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tagcf.live.danmaku.calibrate import expected_calibration_error, fit_shares
from tagcf.live.danmaku.examples import shipped_examples, shipped_version
from tagcf.live.danmaku.features import keys_of, rows_of
from tagcf.live.danmaku.labels import EMOTIONS, HEADS, INTENTS, SENTIMENTS
from tagcf.live.danmaku.learned import by_head, shipped_model
from tagcf.live.danmaku.linear import fit_softmax, softmax
from tagcf.live.danmaku.meaning import Meaning
from tagcf.live.danmaku.read import BATCH, read_danmaku
from tagcf.tags.embedding import embedding_installed

# Written for this test; none is in examples.tsv (checked below).
SAID = [
    ("这条围巾多少米呀主播", "ask_price"),
    ("請問這個怎麼賣呢", "ask_price"),
    ("两盒一起能不能便宜些", "ask_price"),
    ("寄到内蒙要不要另付邮费", "ask_price"),
    ("any coupon codes today?", "ask_price"),
    ("how much for two of those", "ask_price"),
    ("主播求个连接谢谢啦", "ask_link"),
    ("几号链接是这个杯子", "ask_link"),
    ("小黄车里面找不到这个", "ask_link"),
    ("drop the link for the hat please", "ask_link"),
    ("where can i buy that mug", "ask_link"),
    ("我172 65公斤穿什么码合适", "ask_detail"),
    ("面料是不是纯棉的呀", "ask_detail"),
    ("什么时候发货呢主播", "ask_detail"),
    ("is it machine washable or not", "ask_detail"),
    ("这是正品吗 有没有证书", "ask_detail"),
    ("我要一件黑色 马上去拍", "will_buy"),
    ("太好看了必须拿下", "will_buy"),
    ("ok im ordering one right now", "will_buy"),
    ("已经拍了两件等收货", "bought"),
    ("上周买的收到了 真的好用", "bought"),
    ("just ordered mine, so excited", "bought"),
    ("又卡了 画面一直不动", "complaint"),
    ("收到就是坏的 客服也不理人", "complaint"),
    ("my order never arrived, total scam", "complaint"),
    ("主播试穿一下那件绿色的", "request"),
    ("can you turn around and show the back", "request"),
    ("给我们唱首歌吧", "request"),
    ("加我薇信 日结三百 在家做", "spam"),
    ("follow me and i follow back fast", "spam"),
    ("哈哈哈哈笑死我了这猫", "none"),
    ("主播今天好漂亮呀", "none"),
    ("hello everyone from spain", "none"),
    ("6666666", "none"),
]
FELT = [
    ("哈哈哈哈太好笑了", "positive", "joy"),
    ("主播好可爱 爱了爱了", "positive", "affection"),
    ("垃圾东西 骗子 气死我了", "negative", "anger"),
    ("收到好失望 跟图片不一样", "negative", "disappointment"),
    ("多少钱", "neutral", "none"),
    ("this is garbage, total scam", "negative", "anger"),
    ("omg so cute i love her", "positive", "affection"),
    ("😂😂😂😂", "positive", "joy"),
]


def test_the_lines_of_these_tests_are_not_learned_from() -> None:
    known = set(shipped_examples().texts.to_list())
    assert not known & {text for text, _ in SAID if text != "6666666"}


def test_intents() -> None:
    readings = read_danmaku([text for text, _ in SAID])
    read = [INTENTS[k] for k in readings.intent]
    wrong = [(*said, got) for said, got in zip(SAID, read, strict=True) if said[1] != got]
    assert len(wrong) <= 3, wrong


def test_sentiment_and_emotion() -> None:
    readings = list(read_danmaku([text for text, _, _ in FELT]))
    for name, wanted in (("sentiment", 1), ("emotion", 2)):
        off = [
            (felt, one)
            for felt, one in zip(FELT, readings, strict=True)
            if getattr(one, name) != felt[wanted]
        ]
        assert len(off) <= 1, off


def test_order_is_kept_over_batches_and_chances_sum_to_one() -> None:
    texts = ["多少钱", "求链接", "哈哈哈", ""] * (BATCH // 2)
    readings = read_danmaku(texts)
    assert len(readings) == len(texts)
    names = [INTENTS[k] for k in readings.intent[:4]]
    assert names == ["ask_price", "ask_link", "none", "none"]
    assert np.array_equal(readings.intent, np.tile(readings.intent[:4], BATCH // 2))
    for chances in (readings.intent_chances, readings.sentiment_chances, readings.emotion_chances):
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\u200b", None, "\ufe0f"])
def test_an_empty_line_is_neutral_and_none(text: str | None) -> None:
    (one,) = read_danmaku([text])
    assert (one.intent, one.sentiment, one.emotion) == ("none", "neutral", "none")
    assert one.confidence == 1.0


def test_no_lines_at_all() -> None:
    readings = read_danmaku([])
    assert len(readings) == 0
    assert readings.intent_chances.shape == (0, len(INTENTS))


@pytest.mark.parametrize(
    ("plain", "typed"),
    [
        ("多少钱", "多少錢？？？？"),
        ("link please", "ＬＩＮＫ　pleaaaase"),
        ("求链接", "求链\u200b接"),
    ],
)
def test_spelling_does_not_change_the_intent(plain: str, typed: str) -> None:
    one, other = read_danmaku([plain, typed])
    assert one.intent == other.intent


def test_shipped_weights_are_of_the_shipped_examples() -> None:
    shipped = shipped_model()
    assert shipped.version == shipped_version(), "run: python -m benchmarks.danmaku_learn"
    examples = shipped_examples()
    chosen = examples.writer != "term"
    scores = by_head(shipped.words(examples.texts.filter(pl.Series(chosen))))
    for k, head in enumerate(scores):
        right = head.argmax(axis=1) == examples.labels[chosen, k]
        assert right.mean() > 0.9, HEADS[k]


def test_the_compiled_sum_is_the_sparse_product() -> None:
    words, lines = shipped_model().words, pl.Series(["多少钱一斤啊", "where is the link??", ""])
    product = rows_of(keys_of(lines), words.known) @ words.weights + words.bias
    np.testing.assert_allclose(words(lines), product, atol=1e-4)


@pytest.mark.skipif(not embedding_installed(), reason="the extra text is not installed")
def test_meaning_reads_the_same_sentences() -> None:
    readings = read_danmaku([text for text, _ in SAID], using=Meaning())
    right = sum(INTENTS[k] == said for k, (_, said) in zip(readings.intent, SAID, strict=True))
    assert right >= len(SAID) - 4


def test_softmax_finds_known_coefficients() -> None:
    rng = np.random.default_rng(0)
    rows, true = rng.normal(size=(20_000, 3)), np.array([[1.0, 0, -1], [0, 2, -2], [0.5, -0.5, 0]])
    labels = (rng.random((20_000, 1)) > softmax(rows @ true).cumsum(axis=1)).sum(axis=1).clip(max=2)
    fitted = fit_softmax(rows, labels, 3, 1e-3)
    centred = fitted.weights - fitted.weights.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, true - true.mean(axis=1, keepdims=True), atol=0.08)


def test_shares_undo_scores_that_are_too_sure() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(20_000, 4))
    labels = (rng.random((20_000, 1)) > softmax(scores).cumsum(axis=1)).sum(axis=1).clip(max=3)
    (share,) = fit_shares([5 * scores], labels)
    assert share == pytest.approx(0.2, rel=0.05)
    chances = softmax(share * 5 * scores)
    right = chances.argmax(axis=1) == labels
    assert expected_calibration_error(chances.max(axis=1), right) < 0.02
    assert expected_calibration_error(softmax(5 * scores).max(axis=1), right) > 0.2


def test_the_labels_are_those_of_the_contract() -> None:
    assert (len(INTENTS), len(SENTIMENTS), len(EMOTIONS)) == (9, 3, 7)
