"""Tables about tags of docs/explanation/benchmarks.md, from tagging, folksonomy and student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
KINDS = {
    "all": "**all**",
    "lang zh": "Chinese",
    "lang en": "English",
    "lang mixed": "mixed",
    "kind title": "titles",
    "kind caption": "captions",
    "kind slang": "slang",
    "kind esports": "games and e-sports",
    "kind live": "live rooms",
    "kind danmaku": "danmaku",
    "kind trap": "traps: other sense, negation",
}
BEST_ZERO_SHOT = "zero-shot embedding, keyword-expanded"


def parts() -> dict[str, str]:
    """Every table by the name of its markers."""
    return {
        "labels": labels_table(),
        "kinds": kinds_table(),
        "against": against_table(),
        "tag-speed": speed_table(),
        "folksonomy": folksonomy_table(),
        "films": films_table(),
        "student": student_table(),
        "media": media_table(),
        "speech": speech_table(),
        "media-bounds": bounds_table(),
    }


def labels_table() -> str:
    """Precision and recall at 3 of every source on the held texts."""
    held = _read("tagging")["labelled"]["held"]
    lines = [
        "| source | precision@3 | recall@3 | allowed by both, of the 3 "
        "| tags given at .5 | right | allowed | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, groups in held["sources"].items():
        one = groups["all"]
        at, told = one["at .5"], "**" if name == "fused" else ""
        row = f"| {told}{name}{told} | {_mean(one['precision@3'])} | {_mean(one['recall@3'])} "
        if name == "zero-shot embedding, tag names":  # cosines have no threshold
            lines.append(f"{row}| {one['allowed@3']:.2f} | | | | |")
            continue
        lines.append(
            f"{row}| {one['allowed@3']:.2f} | {at['tags_per_text']:.2f} | {at['precision']:.2f} "
            f"| {at['allowed']:.2f} | {at['recall']:.2f} |"
        )
    return "\n".join(lines)


def kinds_table() -> str:
    """Figures of every source by language and kind of text."""
    sources = _read("tagging")["labelled"]["held"]["sources"]
    lines = [
        "| held texts | | fused: precision@3 | recall@3 | lexicon: recall@3 "
        "| embedding: recall@3 |",
        "|---|---|---|---|---|---|",
    ]
    for key, name in KINDS.items():
        if key not in sources["fused"]:
            continue
        fused = sources["fused"][key]
        others = (sources[one][key]["recall@3"] for one in ("lexicon", BEST_ZERO_SHOT))
        lines.append(
            f"| {name} | {fused['texts']} | {_mean(fused['precision@3'])} "
            f"| {_mean(fused['recall@3'])} | {' | '.join(_mean(one) for one in others)} |"
        )
    return "\n".join(lines)


def against_table() -> str:
    """Differences of the fused tagger, text by text."""
    held = _read("tagging")["labelled"]["held"]
    lines = [
        "| fused less … | texts | precision@3 | recall@3 |",
        "|---|---|---|---|",
    ]
    for name, groups in held["fused against"].items():
        for key in ("all", "lang zh", "lang en"):
            one = groups[key]
            told = name if key == "all" else f"… {KINDS[key]}"
            lines.append(
                f"| {told} | {one['texts']} | {_mean(one['precision@3'], sign=True)} "
                f"| {_mean(one['recall@3'], sign=True)} |"
            )
    return "\n".join(lines)


def speed_table() -> str:
    """Texts per second, memory, and word matching beside other libraries."""
    speed = _read("tagging")["speed"]
    words = speed["words, beside peers"]
    many = speed["a million titles, lexicon"]
    part_name = next(name for name in speed if name.endswith("titles, default"))
    part = speed[part_name]
    minutes = part["extrapolated to a million, cpu_minutes"]
    rows = [
        ("words and meaning (default)", speed["default"]["texts_per_cpu_second"], ""),
        ("meaning alone", speed["embedding"]["texts_per_cpu_second"], ""),
        (
            "*the sentence encoder without tags*",
            speed["sentence encoder alone"]["texts_per_cpu_second"],
            "",
        ),
        ("words alone, up to the table of tags", speed["lexicon"]["texts_per_cpu_second"], ""),
        (
            f"words alone, {words['terms']:,} terms, 100,000 titles at once",
            _per(words, "tagcf"),
            "",
        ),
        *(
            (f"*{name}, the same terms and titles*", _per(words, name), "")
            for name in ("flashtext", "ahocorasick")
            if name in words
        ),
        (
            "1,000,000 different titles in batches, words alone",
            many["texts_per_cpu_second"],
            f"{many['peak_mb']} MB",
        ),
        (
            f"{part_name.split()[0]} of them, words and meaning "
            f"(a million: {minutes} CPU minutes, extrapolated)",
            part["texts_per_cpu_second"],
            f"{part['peak_mb']} MB",
        ),
    ]
    lines = ["| | texts per CPU second | peak memory |", "|---|---|---|"]
    lines += [f"| {name} | {per:,} | {memory} |" for name, per, memory in rows]
    return "\n".join(lines)


def folksonomy_table() -> str:
    """Neighbours on Last.fm."""
    result = _read("folksonomy")
    tags, artists = result["last.fm tags"], result["last.fm artists"]
    lines = [
        f"| the ten neighbours by | of {tags['tags']:,} tags: recall@10 | MAP "
        f"| … spelt differently: recall@10 | MAP | of {artists['artists']:,} artists: recall@10 "
        "| MAP |",
        "|---|---|---|---|---|---|---|",
    ]
    names = [*tags["all"], *(one for one in artists["ways"] if one not in tags["all"])]
    for name in names:
        found = (tags["all"], tags["spelt differently"], artists["ways"])
        cells = [
            f"{_mean(one[name]['recall@10'])} | {one[name]['map']['mean']:.2f}"
            if name in one
            else " | "
            for one in found
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def films_table() -> str:
    """Neighbours on MovieLens."""
    lines = [
        "| a film's ten neighbours by | genres alike (Jaccard) | most co-rated among them |",
        "|---|---|---|",
    ]
    for name, one in _read("folksonomy")["films"]["ways"].items():
        recall = _mean(one["co-rated"]["recall@10"], digits=3)
        lines.append(f"| {name} | {_mean(one['genres alike'])} | {recall} |")
    return "\n".join(lines)


def student_table() -> str:
    """Agreement of students with their teachers."""
    lines = [
        "| teacher | texts learned from | tags taught | agreement (F1) | without learning (F1) "
        "| its tags taught | calibration error |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in _read("student").items():
        if not isinstance(one, dict) or "f1" not in one:
            continue
        curve = one.get("curve")
        learned = curve[-1]["texts"] if curve else one["texts"]
        lines.append(
            f"| {name} | {learned:,} | {one['tags_taught']} | {one['f1']:.2f} "
            f"| {one['f1_untrained']:.2f} | {one['coverage']:.0%} "
            f"| {one['calibration_error']:.2f} |"
        )
    return "\n".join(lines)


def media_table() -> str:
    """CPU seconds of each modality per item, and the tags that it gave."""
    found = _read("media")
    items = found["items"]
    names = list(dict.fromkeys(name for one in items.values() for name in one["cpu_s"]))
    lines = [
        f"| item | seconds long | {' | '.join(names)} | all together |",
        f"|---|---|{'---|' * len(names)}---|",
    ]
    for item, one in items.items():
        costs = [f"{one['cpu_s'][name]:.2f}" if name in one["cpu_s"] else "" for name in names]
        together, long = one["together"]["cpu_s"], one["duration_s"]
        lines.append(f"| {item} | {long:.0f} | {' | '.join(costs)} | **{together:.2f}** |")
    return "\n".join(lines)


def speech_table() -> str:
    """What is written down of recordings, and what that costs."""
    lines = [
        "| recording | seconds long | said | written down | CPU seconds | memory "
        "| loading the model: CPU seconds | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in _read("speech")["items"].items():
        lines.append(
            f"| {name} | {one['duration_s']:.1f} | {one['said'] or '*nothing*'} "
            f"| {one['written'] or '*nothing*'} | {one['cpu_s']:.1f} | {one['extra_mb']} MB "
            f"| {one['load_cpu_s']:.1f} | {one['load_mb']} MB |"
        )
    return "\n".join(lines)


def bounds_table() -> str:
    """What files take that are far over the ration."""
    bounds = _read("media")["bounds"]
    lines = [
        "| made file | MB | CPU seconds | memory | pictures looked at |",
        "|---|---|---|---|---|",
    ]
    for name, one in bounds["huge"].items():
        seen = f"{one['count']} stretches, {one['seconds']:.0f} s of {one['read']:.0f}"
        lines.append(
            f"| {name} | {one['file_mb']:,} | {one['cpu_s']:.1f} | {one['extra_mb']} MB | {seen} |"
        )
    page = bounds["small_print"]
    lines.append(
        f"| a picture full of small print | | {page['cpu_s']:.1f} | | {page['lines']} lines |"
    )
    return "\n".join(lines)


def _per(words: dict[str, Any], name: str) -> int:
    return int(words[name]["texts_per_cpu_second"])


def _mean(one: dict[str, float], *, sign: bool = False, digits: int = 2) -> str:
    kind = "+" if sign else ""
    told = (
        f"{one['mean']:{kind}.{digits}f} [{one['ci_low']:.{digits}f}, {one['ci_high']:.{digits}f}]"
    )
    return told.replace("-", "\N{MINUS SIGN}")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found
