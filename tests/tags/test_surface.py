from pathlib import Path

import polars as pl
import pytest

from tagcf.tags.surface import Surface, surface_rules, surface_tags
from tagcf.tags.vocabulary import default_vocabulary, names_of

RULES = {rule.tag.slug: rule for rule in surface_rules()}


def carried(texts: list[str], slug: str) -> list[bool]:
    rows = Surface().encode(pl.Series(texts, dtype=pl.String), default_vocabulary())
    hits = set(rows.filter(pl.col("tag") == slug)["row"])
    return [k in hits for k in range(len(texts))]


@pytest.mark.parametrize("slug", RULES)
def test_each_rule_keeps_to_its_examples(slug):
    rule = RULES[slug]
    assert rule.carries
    assert rule.lacks
    assert carried([*rule.carries, *rule.lacks], slug) == [
        *(True for _ in rule.carries),
        *(False for _ in rule.lacks),
    ]


@pytest.mark.parametrize(
    ("text", "slugs"),
    [
        ("She said YES to 3 dogs?", {"question-mark", "number", "she-her-woman", "all-caps"}),
        ("", set()),
        ("She heard her", {"she-her-woman", "seen-heard", "short-headline"}),
    ],
)
def test_several_rules_apply_at_once(text, slugs):
    rows = Surface().encode(pl.Series([text]), default_vocabulary())
    found = set(rows["tag"])
    assert {f"surface-{slug}" for slug in slugs} - {"surface-short-headline"} <= found
    if not text:
        assert found == set()


@pytest.mark.parametrize(
    ("slug", "words"),
    [
        ("you-your", ["you", "your"]),
        ("she-her-woman", ["she", "her", "hers", "woman", "women"]),
        ("he-his-man", ["he", "him", "his", "man", "men"]),
    ],
)
def test_pronoun_rules_are_exactly_their_words(slug, words):
    others = ["yours", "youth", "sheep", "here", "womanly", "girl", "heat", "hiss", "manly", "one"]
    texts = [f"what {word} did" for word in [*words, *others]]
    expected = [True] * len(words) + [False] * len(others)
    assert carried(texts, f"surface-{slug}") == expected


def test_length_bands_leave_the_middle_as_reference():
    words = [" ".join(["word"] * count) for count in (1, 9, 10, 16, 17)]
    assert carried(words, "surface-short-headline") == [True, True, False, False, False]
    assert carried(words, "surface-long-headline") == [False, False, False, False, True]


def test_surface_names_do_not_clash_with_the_vocabulary():
    taken = set().union(*(names_of(tag) for tag in default_vocabulary().tags))
    own = [name for tag in surface_tags() for name in names_of(tag)]
    assert not taken & set(own)
    assert len(own) == len(set(own))


def test_the_headline_archive_is_tagged_within_seconds(shared_data: Path):
    headlines = pl.read_csv(shared_data / "upworthy" / "upworthy_dev.csv.gz")["headline"]
    rows = Surface().encode(headlines, default_vocabulary())
    counts = dict(rows.group_by("tag").len().rows())
    # The definitions, counted independently of the rules' own regular expressions.
    assert counts["surface-question-mark"] == headlines.str.contains("?", literal=True).sum()
    digits = headlines.str.contains_any([str(digit) for digit in range(10)])
    assert counts["surface-number"] == digits.sum()
    words = headlines.str.to_lowercase().str.extract_all(r"[a-z0-9_]+")
    for slug, wanted in {
        "surface-you-your": ["you", "your"],
        "surface-she-her-woman": ["she", "her", "hers", "woman", "women"],
    }.items():
        held = words.list.eval(pl.element().is_in(wanted).any()).list.first()
        assert counts[slug] == held.sum()
