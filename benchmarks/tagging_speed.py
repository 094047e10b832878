"""Speed and memory of text tagging, each task in a fresh process with one thread.

``python -m benchmarks.tagging_speed '{"task": …}'`` is what `benchmarks.tagging` runs.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import run_child
from tagcf.tags.embedding import SentenceEmbedding, load_encoder
from tagcf.tags.encode import TextEncoder, default_encoders, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.surface import Surface
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.tags.words import shipped_words

MODULE = "benchmarks.tagging_speed"
PEERS = Path(__file__).parent / "word_peers.py"
PEER_PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"
BATCH = 16_384
MILLION = 1_000_000
EMBEDDED = 20_000  # of the million, from which the time of all is extrapolated

ENCODERS: dict[str, tuple[TextEncoder, ...]] = {
    "lexicon": (Lexicon(),),
    "surface": (Surface(),),
    "embedding": (SentenceEmbedding(),),
    "default": default_encoders(),
}


def simulated_titles(count: int, seed: int = 0) -> pl.Series:
    """Titles made of the vocabulary's own words and filler, half Chinese, half English."""
    rng = np.random.default_rng(seed)
    terms = [word for tag in default_vocabulary().tags for word in (*tag.keywords, tag.zh)]
    first, second = (rng.choice(terms, count) for _ in range(2))
    return pl.DataFrame({"first": first, "second": second}).select(
        pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(pl.format("今天想和大家聊聊{}，还有关于{}的一点感受", "first", "second"))
        .otherwise(
            pl.format("What nobody told me about {} until I met {} last summer", "first", "second")
        )
        .alias("title")
    )["title"]


def numbered_titles(count: int, seed: int = 0) -> Iterator[pl.Series]:
    """Batches of titles, all different: each has its number."""
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        titles = simulated_titles(size, seed + start)
        numbers = pl.int_range(start, start + size, eager=True).cast(pl.String)
        yield titles + " " + numbers


def of_encoder(name: str, count: int) -> dict[str, Any]:
    """Texts per second of process time, after one warm-up call."""
    titles = simulated_titles(count)
    encode_tags(titles.head(100), using=ENCODERS[name])
    begin = time.process_time()
    encode_tags(titles, using=ENCODERS[name])
    seconds = time.process_time() - begin
    return {"texts": count, "texts_per_cpu_second": round(count / seconds)}


def of_sentences(count: int) -> dict[str, Any]:
    """The sentence encoder alone: vectors, no tags."""
    titles = simulated_titles(count).to_list()
    embed = load_encoder()
    embed(titles[:100])
    begin = time.process_time()
    for start in range(0, count, 2_048):
        embed(titles[start : start + 2_048])
    seconds = time.process_time() - begin
    return {"texts": count, "texts_per_cpu_second": round(count / seconds)}


def of_many(name: str, count: int) -> dict[str, Any]:
    """A stream of different titles, tagged batch by batch: time, tags and peak memory."""
    vocabulary = default_vocabulary()
    for encoder in ENCODERS[name]:
        encoder.encode(pl.Series(["a warm-up"]), vocabulary)
    before = _peak_mb()
    begin, found, making = time.process_time(), 0, 0.0
    batches = numbered_titles(count)
    while True:
        started = time.process_time()
        batch = next(batches, None)
        making += time.process_time() - started
        if batch is None:
            break
        found += sum(encoder.encode(batch, vocabulary).height for encoder in ENCODERS[name])
    seconds = time.process_time() - begin - making
    return {
        "texts": count,
        "cpu_seconds": round(seconds, 1),
        "texts_per_cpu_second": round(count / seconds),
        "tags": found,
        "peak_mb": round(_peak_mb()),
        "above_warm_mb": round(_peak_mb() - before),
    }


def of_words(count: int) -> dict[str, Any]:
    """Our matcher beside flashtext and pyahocorasick on the same titles and the same terms."""
    titles = simulated_titles(count)
    vocabulary, words = default_vocabulary(), shipped_words()
    terms = {term for tag in vocabulary.tags for term in (tag.zh, tag.en, *tag.aliases)}
    terms |= {term for tag in vocabulary.tags for term in tag.keywords}
    terms |= {term for _, own in (*words.likely, *words.hints) for term in own}
    lexicon = Lexicon()
    lexicon.encode(titles.head(100), vocabulary)
    begin = time.process_time()
    found = lexicon.encode(titles, vocabulary)
    seconds = time.process_time() - begin
    result: dict[str, Any] = {
        "texts": count,
        "terms": len(terms),
        "tagcf": {"texts_per_cpu_second": round(count / seconds), "hits": found.height},
    }
    if not PEER_PYTHON.exists():
        return result | {"peers": f"not measured: no {PEER_PYTHON.name} in .venv-bench"}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as order:
        json.dump({"titles": titles.to_list(), "terms": sorted(terms)}, order, ensure_ascii=False)
        order.flush()
        done = subprocess.run(
            [str(PEER_PYTHON), str(PEERS), order.name], capture_output=True, text=True, check=True
        )
    peers = json.loads(done.stdout)
    ours = result["tagcf"]["texts_per_cpu_second"]
    ratios = {
        f"times {name}": round(ours / one["texts_per_cpu_second"], 1) for name, one in peers.items()
    }
    return result | peers | ratios


TASKS = {"encoder": of_encoder, "sentences": of_sentences, "many": of_many, "words": of_words}


def measured() -> dict[str, Any]:
    """Every figure, each task in a process of its own."""

    def run(task: str, **facts: object) -> dict[str, Any]:
        return run_child(sys.executable, MODULE, task, **facts)

    counts = {"lexicon": 200_000, "surface": 200_000, "embedding": 8_000, "default": 8_000}
    result: dict[str, Any] = {
        name: run("encoder", name=name, count=count) for name, count in counts.items()
    }
    result["sentence encoder alone"] = run("sentences", count=8_000)
    result["default / sentence encoder alone"] = round(
        result["default"]["texts_per_cpu_second"]
        / result["sentence encoder alone"]["texts_per_cpu_second"],
        2,
    )
    result["words, beside peers"] = run("words", count=100_000)
    result["a million titles, lexicon"] = run("many", name="lexicon", count=MILLION)
    part = run("many", name="default", count=EMBEDDED)
    part["extrapolated to a million, cpu_minutes"] = round(
        MILLION / part["texts_per_cpu_second"] / 60, 1
    )
    result[f"{EMBEDDED:,} titles, default"] = part
    return result


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    chosen = json.loads(sys.argv[1])
    print(json.dumps(TASKS[chosen.pop("task")](**chosen)))
