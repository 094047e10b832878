from importlib import util
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from made_media import CHINESE, plain, textured, write_video, written
from PIL import Image

from tagcf.tags.evidence import Content
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.media.labels import ImageLabels
from tagcf.tags.media.lines import Line, tag_lines
from tagcf.tags.media.ocr import OnScreenText, joined, ocr_lines
from tagcf.tags.media.opened import Media
from tagcf.tags.vocabulary import default_vocabulary


@pytest.fixture(scope="module")
def captions(tmp_path_factory, absent):
    """Two seconds with a title alone, then two captions below it, of three and of two seconds."""
    if not CHINESE.is_file():
        absent("BROWSER", f"the Chinese font is not at {CHINESE}")
    title = ("周末露营记", 60, 64)
    shots = [
        (50, [title]),
        (75, [title, ("带狗狗搭帐篷", 1000, 72)]),
        (50, [title, ("Roasting marshmallows 2024", 1000, 44)]),
    ]
    pictures = (picture for length, lines in shots for picture in repeat(written(lines), length))
    return Media(write_video(tmp_path_factory.mktemp("words") / "camp.mp4", pictures))


def test_lines_with_their_seconds(captions):
    lines = ocr_lines(captions)
    assert [line.text for line in lines] == [
        "周末露营记",
        "带狗狗搭帐篷",
        "Roasting marshmallows 2024",
    ]
    times = [(line.start_s, line.end_s) for line in lines]
    assert np.array(times) == pytest.approx(np.array([(0, 7), (2, 5), (5, 7)]))
    assert all(line.confidence > 0.85 for line in lines)
    assert [line.height for line in lines] == pytest.approx([0.05, 0.056, 0.034], abs=0.02)
    assert [line.middle for line in lines] == pytest.approx([0.08, 0.82, 0.8], abs=0.04)


def test_words_become_tags_and_are_quoted(captions):
    encoder = OnScreenText()
    reading = encoder.encode(Content("item", media=captions), default_vocabulary())
    assert not reading.missing
    found = {one.tag: one for one in reading.found}
    dogs = found["dogs"]
    assert (dogs.source, dogs.evidence.quote) == ("ocr", "带狗狗搭帐篷")
    assert (dogs.evidence.start_s, dogs.evidence.end_s) == (2, 5)
    assert 0.6 < dogs.confidence <= 0.9
    assert found["camping"].strength > found["dogs"].strength  # 露营 and 帐篷
    assert found["subtitled"].strength > 0.9
    assert "100%" in found["subtitled"].evidence.words


def test_at_most_so_many_stills_are_read_and_that_is_said(captions):
    encoder = OnScreenText(most_stills=1)
    reading = encoder.encode(Content("item", media=captions), default_vocabulary())
    assert "dogs" not in {one.tag for one in reading.found}
    assert "1 of 3" in str(reading.missing[0].reason)


def test_a_printed_page(shared_data):
    page = Media(shared_data / "media" / "page.png")
    lines = ocr_lines(page)
    text = " ".join(line.text for line in lines)
    for words in ("Region-based segmentation", "markers of the coins", "histogram of grey values"):
        assert words in text
    content = Content("page", media=page)
    found = {one.tag for one in OnScreenText().encode(content, default_vocabulary()).found}
    assert "text-image" in found
    assert "subtitled" not in found  # an image has no time


def test_a_word_in_a_photograph(shared_data):
    lines = ocr_lines(Media(shared_data / "media" / "motorcycle_left.png"))
    assert "YAMAHA" in [line.text for line in lines]


@pytest.mark.parametrize("name", ["text.png", "coffee.png", "astronaut.png", "camera.png"])
def test_no_words_are_invented(shared_data, name):
    # text.png is a handwritten formula, at a slant.
    assert ocr_lines(Media(shared_data / "media" / name)) == ()


def test_sound_has_no_words_to_see(shared_data):
    media = Media(shared_data / "media" / "english.wav")
    assert ocr_lines(media) == ()
    (missing,) = OnScreenText().encode(Content("a", media=media), default_vocabulary()).missing
    assert missing.reason.key == "media.no_pictures"


def line(text, start, end, confidence=0.9, middle=0.8):
    return Line(text, start, end, confidence, 0.05, 0.05, middle)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        # read slightly differently: one line, in the surest reading
        ([line("带狗狗去露营", 0, 1), line("帯狗狗去露营", 1, 2, 0.99)], [("帯狗狗去露营", 0, 2)]),
        # gone in between
        (
            [line("限时优惠", 0, 1), line("限时优惠", 2, 3)],
            [("限时优惠", 0, 1), ("限时优惠", 2, 3)],
        ),
        # numbers make the difference
        ([line("倒计时第10秒啊", 0, 1), line("倒计时第11秒啊", 1, 2)], None),
        ([line("第一步", 0, 1), line("第二步", 1, 2)], None),
        # elsewhere in the picture
        ([line("好物推荐", 0, 1, middle=0.1), line("好物推荐", 1, 2)], None),
        ([line("GOOD Food!", 0, 1), line("good food", 1, 3, 0.8)], [("GOOD Food!", 0, 3)]),
    ],
)
def test_the_same_words_in_a_row_are_one_line(lines, kept):
    expected = kept or [(one.text, one.start_s, one.end_s) for one in lines]
    assert [(one.text, one.start_s, one.end_s) for one in joined(lines)] == expected


def test_tags_of_lines():
    lines = [
        line("今天天气不错", 0, 1, 1.0),
        line("猫咪", 1, 2, 0.5),
        line("小猫和猫咪", 2, 3, 1.0),
    ]
    (found,) = tag_lines(lines, default_vocabulary(), (Lexicon(),), "speech")
    assert (found.tag, found.source, found.evidence.quote) == ("cats", "speech", "小猫和猫咪")
    assert tag_lines((), default_vocabulary(), (Lexicon(),), "speech") == ()


# ── labels of a classifier that the user brings ─────────────────────────────
# The one ONNX classifier at hand is RapidOCR's: is a line of words upright or upside down?
@pytest.fixture
def upright_or_not(tmp_path):
    (tmp_path / "labels.txt").write_text("Corgi dog\ntabby cat\n")
    models = Path(util.find_spec("rapidocr").origin).parent / "models"
    half = (0.5, 0.5, 0.5)
    return ImageLabels(
        models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
        tmp_path / "labels.txt",
        size=(48, 192),
        mean=half,
        spread=half,
        least=0.9,
    )


def test_labels_of_a_model_become_tags(upright_or_not, tmp_path):
    words = written([("marshmallows", 4, 40)], size=(360, 64))[:, 100:]
    for turned, tag, label in (
        (words, "dogs", "Corgi dog"),
        (words[::-1, ::-1], "cats", "tabby cat"),
    ):
        path = tmp_path / f"{tag}.png"
        Image.fromarray(turned).save(path)
        content = Content("item", media=Media(path))
        reading = upright_or_not.encode(content, default_vocabulary())
        assert not reading.missing
        (found,) = reading.found
        assert (found.tag, found.source, found.evidence.quote) == (tag, "image-labels", label)
        assert found.evidence.start_s == 0


@pytest.mark.parametrize(
    ("labels", "model", "reason"),
    [
        (None, None, "media.no_image_model"),
        ("one\ntwo\nthree", "", "media.bad_image_model"),
        ("one\ntwo", "not a model", "media.bad_image_model"),
    ],
)
def test_without_a_usable_model_labels_are_missing(upright_or_not, tmp_path, labels, model, reason):
    Image.fromarray(textured(1)).save(tmp_path / "a.png")
    encoder = ImageLabels()
    if labels:
        (tmp_path / "labels.txt").write_text(labels)
        chosen = upright_or_not.model
        if model:
            chosen = tmp_path / "model.onnx"
            chosen.write_text(model)
        encoder = ImageLabels(chosen, tmp_path / "labels.txt", size=(48, 192))
    content = Content("item", media=Media(tmp_path / "a.png"))
    reading = encoder.encode(content, default_vocabulary())
    assert not reading.found
    assert [one.reason.key for one in reading.missing] == [reason]
    assert str(reading.missing[0].reason)


def test_an_unsure_label_is_none(upright_or_not, tmp_path):
    Image.fromarray(plain((90, 90, 90))).save(tmp_path / "a.png")
    unsure = ImageLabels(upright_or_not.model, upright_or_not.labels, size=(48, 192), least=1.01)
    content = Content("item", media=Media(tmp_path / "a.png"))
    assert unsure.encode(content, default_vocabulary()).found == ()


def test_small_print_in_every_picture_is_not_read_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tagcf.tags.media.ocr.MOST_LINES", 5)
    pages = [
        written([(f"{name} {row * 11}", 60 + 100 * row, 60) for row in range(4)])
        for name in ("Mountain", "Garden", "Kitchen", "Harbour")
    ]
    path = write_video(tmp_path / "pages.mp4", pages, times=[0, 2, 4, 6])
    media = Media(path)
    reading = OnScreenText().encode(Content("i", media=media), default_vocabulary())
    shown = {line.text.partition(" ")[0] for line in ocr_lines(media)}
    assert shown == {"Mountain", "Kitchen"}  # over the whole, not the beginning alone
    [missing] = reading.missing
    assert dict(missing.reason.facts) == {"read": 2, "whole": 4}
