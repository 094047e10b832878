import subprocess
import sys
import tomllib
from importlib import resources

import numpy as np
import pytest
from made_media import plain, textured, write_video
from PIL import Image

from tagcf.tags.evidence import Content
from tagcf.tags.media.frames import Frames, by_name
from tagcf.tags.media.look import colourfulness, look_at
from tagcf.tags.media.opened import Media
from tagcf.tags.media.pictures import from_jpeg
from tagcf.tags.media.rules import picture_rules
from tagcf.tags.media.seen import Seen, measure_pictures
from tagcf.tags.media.shots import Changes, cut_seconds
from tagcf.tags.media.undetected import FacialExpression
from tagcf.tags.media.watch import keyframes
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.text import catalogue, choose_language


def seen(path) -> Seen:
    media = Media(path)
    return measure_pictures(media.watched(), video=media.kind == "video")


def found(path):
    reading = Frames().encode(Content("item", media=Media(path)), default_vocabulary())
    assert not reading.missing
    return {one.tag: one for one in reading.found}


def moving(seed, step):
    """A textured picture that slides by `step` pixels a frame."""
    return lambda k: np.roll(textured(seed), step * k, axis=1)


def shots(*lengths, step=0):
    """Frames of so many shots, each of so many frames."""
    for seed, length in enumerate(lengths):
        yield from (moving(seed, step)(k) for k in range(length))


# ── cuts ─────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("step", [0, 1])
def test_cuts_are_found_at_their_frame(tmp_path, step):
    lengths = (31, 7, 50, 4, 12, 46)
    path = write_video(tmp_path / "cuts.mp4", shots(*lengths, step=step))
    true = np.cumsum(lengths)[:-1] / 25
    assert seen(path).cuts == pytest.approx(true, abs=1e-6)


def test_cuts_of_a_real_film(shared_data):
    # Seen by eye, frame by frame: bus, man, cyclist, street, wall, wheels.
    cuts = seen(shared_data / "media" / "bikes.mp4").cuts
    assert cuts == pytest.approx([1.2, 3.04, 5.48, 7.48, 9.68], abs=1e-6)


@pytest.mark.parametrize("name", ["bigbuckbunny.mp4", "carphone_pristine.mp4"])
def test_one_shot_has_no_cut(shared_data, name):
    assert seen(shared_data / "media" / name).cuts == ()


def test_real_films_cut_together(shared_data, tmp_path):
    films = [
        shared_data / "media" / f"{name}.mp4" for name in ("bigbuckbunny", "carphone_pristine")
    ]
    pictures, true = [], []
    for turn in range(3):
        for film in films:
            times = np.arange(turn * 1.2, turn * 1.2 + 1.0, 0.04)
            frames = Media(film).frames(times, side=160)
            pictures += [
                np.asarray(Image.fromarray(one.picture).resize((160, 96))) for one in frames
            ]
            true.append(len(pictures) / 25)
    path = write_video(tmp_path / "joined.mp4", pictures)
    assert seen(path).cuts == pytest.approx(true[:-1], abs=1e-6)


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(tmp_path, length):
    pictures = [textured(4) for _ in range(60)]
    pictures[30 : 30 + length] = [plain((255, 255, 255))] * length
    assert seen(write_video(tmp_path / "flash.mp4", pictures)).cuts == ()


def test_a_fade_is_no_cut(tmp_path):
    shares = np.clip((np.arange(75) - 25) / 25, 0, 1)
    pictures = [
        np.round((1 - share) * textured(5) + share * textured(6)).astype(np.uint8)
        for share in shares
    ]
    assert seen(write_video(tmp_path / "fade.mp4", pictures)).cuts == ()


def test_no_frames_no_cuts():
    empty = np.zeros(0)
    assert cut_seconds(Changes(empty, empty, empty, empty)) == ()


# ── measures ─────────────────────────────────────────────────────────────────
def test_light_and_colour_of_known_pictures():
    grey = look_at(plain((128, 128, 128)), 0, None)
    assert grey.brightness == pytest.approx(128 / 255)
    assert (grey.contrast, grey.colourfulness, grey.warm, grey.cool) == pytest.approx((0,) * 4)
    halves = look_at(np.hstack([plain((0, 0, 0)), plain((255, 255, 255))]), 0, None)
    assert (halves.brightness, halves.contrast) == pytest.approx((0.5, 0.5))
    assert (halves.dark, halves.lights) == (0.5, 0.5)
    orange, blue = (look_at(plain(colour), 0, None) for colour in ((255, 128, 0), (0, 90, 255)))
    assert (orange.warm, orange.cool, blue.warm, blue.cool) == (1, 0, 0, 1)
    assert (orange.hue, blue.hue) == pytest.approx((30, 220), abs=15)


def test_colourfulness_by_hand():
    # Red: rg = 255, yb = 127.5, both without spread: 0.3 · √(255² + 127.5²).
    assert colourfulness(plain((255, 0, 0))) == pytest.approx(0.3 * np.hypot(255, 127.5))
    # Half red, half cyan: rg = ±255, yb = ±127.5, means 0.
    both = np.hstack([plain((255, 0, 0)), plain((0, 255, 255))])
    assert colourfulness(both) == pytest.approx(np.hypot(255, 127.5))


def test_movement_is_the_share_that_changes():
    before = plain((0, 0, 0))
    now = before.copy()
    now[:16] = 255  # a quarter of 64 rows
    assert look_at(now, 0.2, before).motion == pytest.approx(0.25)
    assert np.isnan(look_at(now, 0.0, None).motion)


def test_measures_of_a_still_and_of_a_moving_shot(tmp_path):
    still = seen(write_video(tmp_path / "still.mp4", shots(100)))
    assert still.still_share.value == 1
    assert (still.cuts_per_minute.value, still.mean_shot_s.value) == (0, pytest.approx(4))
    lively = seen(write_video(tmp_path / "lively.mp4", shots(100, step=3)))
    assert lively.motion.value > 0.5
    assert lively.still_share.value == 0


def test_an_image_has_light_and_colour_only(shared_data):
    camera = by_name(seen(shared_data / "media" / "camera.png"))
    assert set(camera) == {
        *("brightness", "contrast", "colourfulness", "warm", "cool"),
        *("grey_share", "night_share", "upright"),
    }
    grey = np.asarray(Image.open(shared_data / "media" / "camera.png").convert("L"))
    assert camera["brightness"].value == pytest.approx(grey.mean() / 255, abs=0.01)


# ── tags ─────────────────────────────────────────────────────────────────────
def lights_at_night(width=72, height=128):
    """Dark, with forty small lights: about a hundredth of the picture."""
    rng = np.random.default_rng(0)
    picture = rng.integers(5, 30, (height, width, 3), np.uint8)
    for y, x in zip(rng.integers(0, height - 2, 40), rng.integers(0, width - 2, 40), strict=True):
        picture[y : y + 2, x : x + 2] = (255, 240, 200)
    return picture


CLIPS = {
    "fast-pace": lambda: shots(*[25] * 10, step=1),
    "picture-pace": lambda: shots(*[20] * 10, step=1),
    "slow-pace": lambda: shots(300),
    "lively-picture": lambda: shots(100, step=3),
    "still-picture": lambda: shots(100),
    "slideshow": lambda: shots(*[50] * 5),
    "black-white": lambda: (np.repeat(one[:, :, :1], 3, axis=2) for one in shots(10, step=1)),
    "vivid-color": lambda: shots(10),
    "warm-tones": lambda: (plain((230, 140, 60)) for _ in range(10)),
    "cool-tones": lambda: (plain((60, 140, 230)) for _ in range(10)),
    "city-night": lambda: (lights_at_night() for _ in range(10)),
    "dark-picture": lambda: (plain((20, 20, 25)) for _ in range(10)),
    "bright-picture": lambda: (plain((235, 235, 230)) for _ in range(10)),
    "vertical-video": lambda: (lights_at_night() for _ in range(10)),
}
OPPOSITES = [
    ("fast-pace", "slow-pace"),
    ("slideshow", "lively-picture"),
    ("warm-tones", "cool-tones"),
    ("black-white", "vivid-color"),
    ("dark-picture", "bright-picture"),
    ("bright-picture", "city-night"),
]


@pytest.mark.parametrize("tag", CLIPS)
def test_a_clip_made_for_a_rule_gets_its_tag(tmp_path, tag):
    tags = found(write_video(tmp_path / "clip.mp4", CLIPS[tag]()))
    assert tags[tag].strength > 0.75
    assert tags[tag].source == "frames"
    assert any(letter.isdigit() for letter in tags[tag].evidence.words)
    for pair in OPPOSITES:
        assert not set(pair) <= set(tags)


def test_every_rule_has_a_clip_a_tag_and_words():
    rules = [rule for rule in picture_rules() if rule.source == "frames"]
    assert {rule.tag for rule in rules} == set(CLIPS)
    assert {rule.tag for rule in picture_rules()} <= {tag.slug for tag in default_vocabulary().tags}
    names = set(Seen.__dataclass_fields__) | {"caption_share", "text_area"}
    for rule in picture_rules():
        assert f"media.measured_{rule.slopes[0].measure}" in catalogue()
        asked = [*(slope.measure for slope in rule.slopes), *rule.needs]
        assert set(asked) <= names
        assert all(slope.none != slope.full for slope in rule.slopes)


def test_a_rule_is_read_as_it_is_written():
    file = resources.files("tagcf.tags.media").joinpath("rules.toml")
    first = tomllib.loads(file.read_text("utf-8"))["frames"][0]
    rule = picture_rules()[0]
    assert (rule.tag, rule.trust) == (first["tag"], first["trust"])
    ends = first["when"]["cuts_per_minute"]
    assert (rule.slopes[0].none, rule.slopes[0].full) == (ends["none"], ends["full"])


def test_evidence_is_the_value_and_its_second(tmp_path):
    pictures = [
        *(plain((20, 20, 20)) for _ in range(10)),
        *(plain((235, 235, 235)) for _ in range(90)),
    ]
    path = write_video(tmp_path / "day.mp4", pictures)
    choose_language("zh")
    evidence = found(path)["bright-picture"].evidence
    assert evidence.words == "平均亮度 92%"
    assert 0.4 <= evidence.start_s == evidence.end_s <= 4


def test_strength_falls_with_the_measure(tmp_path):
    strengths = []
    for length in (15, 30, 90, 180):
        tags = found(write_video(tmp_path / f"{length}.mp4", shots(*[length] * (180 // length))))
        strengths.append(tags["fast-pace"].strength if "fast-pace" in tags else 0)
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == 1
    assert strengths[-1] == 0


def test_real_pictures(shared_data):
    folder = shared_data / "media"
    assert "warm-tones" in found(folder / "coffee.png")
    assert "vivid-color" in found(folder / "astronaut.png")
    assert "cool-tones" in found(folder / "rocket.jpg")
    assert "black-white" in found(folder / "camera.png")
    assert not {"black-white", "dark-picture"} & set(found(folder / "chelsea.png"))
    assert found(folder / "bikes.mp4")["fast-pace"].strength == pytest.approx(0.5)
    assert not found(folder / "carphone_pristine.mp4")


# ── stills, and what is missing ──────────────────────────────────────────────
def test_a_still_is_kept_for_each_different_picture(tmp_path):
    path = write_video(tmp_path / "slides.mp4", shots(50, 50, 25, 75))
    media = Media(path)
    times = [(still.second, still.until) for still in media.watched().stills]
    assert np.array(times) == pytest.approx(np.array([(0, 2), (2, 4), (4, 5), (5, 8)]))
    for seed, still in enumerate(media.watched().stills):
        assert np.abs(from_jpeg(still.jpeg).astype(int) - textured(seed)).mean() < 12
    chosen = keyframes(media, 2, side=48)
    assert [second for second, _ in chosen] == [0, 4]
    assert {from_jpeg(packed).shape for _, packed in chosen} == {(32, 48, 3)}


def test_stills_stay_few_in_a_long_video(tmp_path):
    times = 0.2 * np.arange(300)
    path = write_video(tmp_path / "long.mp4", (textured(k // 3) for k in range(300)), times=times)
    stills = Media(path).watched().stills
    assert 20 <= len(stills) <= 48
    assert np.ptp(np.diff([still.second for still in stills])) < 1.3
    assert stills[-1].until == pytest.approx(60, abs=0.2)


def test_keyframes_of_an_image(shared_data):
    ((second, packed),) = keyframes(Media(shared_data / "media" / "chelsea.png"), 8)
    assert second == 0
    assert packed[:3] == b"\xff\xd8\xff"


def test_a_broken_video_is_tagged_from_what_is_left(tmp_path):
    whole = write_video(
        tmp_path / "a.mp4", shots(*[25] * 12, step=1), options={"movflags": "faststart"}
    )
    (tmp_path / "b.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    content = Content("item", media=Media(tmp_path / "b.mp4"))
    reading = Frames().encode(content, default_vocabulary())
    assert "fast-pace" in {one.tag for one in reading.found}
    assert [one.reason.key for one in reading.missing] == ["media.cut_short"]


def test_what_has_no_pictures_is_missing(tmp_path, shared_data):
    (tmp_path / "notes.mp4").write_text("no video")
    files = {
        "media.no_media": Media(tmp_path / "notes.mp4"),
        "media.not_found": Media(tmp_path / "gone.mp4"),
        "media.no_pictures": Media(shared_data / "media" / "english.wav"),
        "media.no_file": None,
    }
    for key, media in files.items():
        for encoder in (Frames(), FacialExpression()):
            reading = encoder.encode(Content("item", media=media), default_vocabulary())
            assert not reading.found
            (missing,) = reading.missing
            assert (missing.source, missing.reason.key) == (encoder.source, key)
            assert str(missing.reason)


def test_without_the_packages_pictures_are_missing(shared_data):
    code = f"""
import sys
from tagcf.tags.evidence import Content
from tagcf.tags.media.frames import Frames
from tagcf.tags.media.ocr import OnScreenText
from tagcf.tags.media.opened import Media
from tagcf.tags.vocabulary import default_vocabulary
sys.path = [path for path in sys.path if "site-packages" not in path]
content = Content("a", media=Media({str(shared_data / "media" / "bikes.mp4")!r}))
for encoder in (Frames(), OnScreenText()):
    reading = encoder.encode(content, default_vocabulary())
    print(len(reading.found), reading.missing[0].reason)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        assert line.startswith("0 This needs an optional dependency: pip install 'tagcf[media]'")
    assert len(done.stdout.splitlines()) == 2


def test_faces_are_never_guessed(shared_data):
    content = Content("item", media=Media(shared_data / "media" / "astronaut.png"))
    reading = FacialExpression().encode(content, default_vocabulary())
    assert not reading.found
    assert reading.missing[0].reason.key == "media.no_face_detector"
