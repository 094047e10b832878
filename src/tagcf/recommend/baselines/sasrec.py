"""SASRec by RecTools (MTS), the library's own training: the deep peer of every table.

Kang and McAuley (2018), with softmax over the whole catalogue (Klenitskiy and Vasilev 2023,
arXiv 2309.07602). Runs in another environment, for RecTools 0.19 wants numpy below 2: its Python
is named by TAGCF_RECTOOLS, by default ``.venv-rectools/bin/python`` (``make rectools``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import MissingExtraError
from tagcf.recommend.evaluate.ranking import cpu_seconds
from tagcf.recommend.evaluate.search import Chosen, Tried, validation_value
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats

VARIABLE = "TAGCF_RECTOOLS"
HOME = Path(".venv-rectools") / "bin" / "python"
WORKER = Path(__file__).with_name("rectools_worker.py")


@dataclass(frozen=True, slots=True)
class SASRec:
    """RecTools' SASRecModel with these settings."""

    factors: int = 64
    blocks: int = 2
    heads: int = 2
    length: int = 50
    dropout: float = 0.2
    rate: float = 1e-3
    batch: int = 64
    epochs: int = 30
    loss: str = "softmax"  # over the catalogue; "sampled_softmax": over so many `negatives`
    negatives: int = 1
    seed: int = 0
    name: str = "sasrec"

    def reseeded(self, seed: int) -> SASRec:
        """Return the same settings with another seed."""
        return replace(self, seed=seed)

    def fit(self, train: Histories) -> FittedSASRec:
        """Train for `epochs`.

        Raises
        ------
        MissingExtraError
            There is no environment with RecTools.
        """
        fitted = start(self, train)
        return fitted.trained(self.epochs)


@dataclass(frozen=True, slots=True)
class FittedSASRec:
    """A model in its own process, and the CPU seconds of training there."""

    worker: Worker
    n_items: int
    fit_cpu_s: float

    def trained(self, epochs: int) -> FittedSASRec:
        """Train on: the process is the same, its weights move."""
        spent = self.worker.ask("train", epochs=epochs)
        return replace(self, fit_cpu_s=self.fit_cpu_s + spent)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Multiply the embeddings; items unseen in training come last."""
        users, items = self.worker.embed(histories)
        unseen = np.isnan(items[:, 0])
        scores = users @ np.where(unseen[:, None], 0, items).T
        scores[:, unseen] = scores.min(axis=1, initial=0.0, keepdims=True) - 1
        return np.asarray(scores, np.float32)


class Worker:
    """The process; it ends when this object goes."""

    def __init__(self, python: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tagcf-rectools-"))
        self._said = self._folder / "stderr"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [python, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
            )
        weakref.finalize(self, _end, self._process, self._folder)
        self.cpu_s = 0.0

    def ask(self, do: str, **facts: object) -> float:
        """Send an order, wait, and return the CPU seconds that it took there."""
        orders, answers = self._pipes()
        with contextlib.suppress(BrokenPipeError):  # it has ended: no answer follows
            orders.write((json.dumps({"do": do, **facts}) + "\n").encode())
            orders.flush()
        answer = answers.readline()
        if not answer:
            lines = self._said.read_text("utf-8", "replace").strip().splitlines()
            raise MissingExtraError("recommend.rectools_failed", detail=lines[-1] if lines else "")
        spent = float(json.loads(answer)["cpu_s"])
        self.cpu_s += spent
        return spent

    def start(self, model: SASRec, train: Histories) -> float:
        """Hand over settings and training sequences."""
        return self.ask("start", **asdict(model), **self._sequences(train))

    def embed(self, histories: Histories) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(U, d) of histories and (I, d) of items; rows of items unseen in training are NaN."""
        out = {name: str(self._folder / f"{name}.npy") for name in ("users", "items")}
        self.ask("embed", n_items=histories.n_items, **self._sequences(histories), **out)
        return np.load(out["users"]), np.load(out["items"])

    def _sequences(self, histories: Histories) -> dict[str, str]:
        paths = {}
        for name in ("indptr", "item"):
            path = self._folder / f"{name}.npy"
            np.save(path, getattr(histories, name))
            paths[name] = str(path)
        return paths

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker was started without pipes")
        return self._process.stdin, self._process.stdout


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Close the worker's input, at which it ends, and remove its files."""
    process.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def start(model: SASRec, train: Histories) -> FittedSASRec:
    """Start a process with an untrained model."""
    worker = Worker(_python())
    return FittedSASRec(worker, train.n_items, worker.start(model, train))


def _python() -> Path:
    """Python of the environment with RecTools."""
    root = Path(__file__).resolve().parents[4]
    named = os.environ.get(VARIABLE)
    found = [Path(named)] if named else [root / HOME]
    if importlib.util.find_spec("rectools") is not None:
        found.append(Path(sys.executable))
    for python in found:
        if python.exists():
            return python
    raise MissingExtraError("recommend.no_rectools", variable=VARIABLE)


@dataclass(frozen=True, slots=True)
class SASRecSearch:
    """Settings in turn, each trained until validation no longer gains; the best epoch is kept.

    Attributes
    ----------
    lengths
        Fewest and most events that a model may read; between them, as many as 9 of 10 training
        histories have, for padding costs what events cost.
    updates
        Least updates in an epoch: with few users batches are smaller, down to 16, for epochs cost
        what they cost and fewer are needed.
    full_softmax_up_to, negatives
        Items up to which the softmax is over the whole catalogue; above, over so many negatives.
    every, patience, most
        Epochs between looks at the validation hold-out, looks without a gain after which
        training ends, and epochs at most.
    budget_cpu_s
        No look follows after so many CPU seconds; a model that was still gaining then says so in
        `Tried`, its last look being its best.
    """

    models: Sequence[SASRec]
    lengths: tuple[int, int] = (10, 100)
    updates: int = 60
    full_softmax_up_to: int = 5_000
    negatives: int = 64
    every: int = 5
    patience: int = 3
    most: int = 200
    budget_cpu_s: float = 450.0
    name: str = "sasrec"

    def choose(self, valid: Holdout) -> Chosen:
        """Train each model, and keep the best epoch of the best."""
        started = cpu_seconds()
        tried: list[Tried] = []
        best: tuple[float, FittedSASRec] | None = None
        spent = 0.0
        for model in self.models:
            fitted, looks, used = self._train(self._sized(model, valid.train), valid)
            tried += looks
            spent += used
            value = max(one.value for one in looks)
            if best is None or value > best[0]:
                best = value, fitted
        kept = max(tried, key=lambda one: one.value)
        if best is None:
            raise ValueError("a search needs at least one model")
        here = cpu_seconds() - started
        return Chosen(kept.model, best[1], tuple(tried), kept.fit_cpu_s, here + spent)

    def _sized(self, model: SASRec, train: Histories) -> SASRec:
        """Settings that follow from how many users, events and items there are."""
        users = int((train.sizes > 0).sum())
        batch = min(model.batch, max(16, users // self.updates))
        sized = replace(model, length=_length(train, self.lengths), batch=batch)
        if train.n_items <= self.full_softmax_up_to:
            return sized
        return replace(sized, loss="sampled_softmax", negatives=self.negatives)

    def _train(self, model: SASRec, valid: Holdout) -> tuple[FittedSASRec, list[Tried], float]:
        """Train one model: as it was at its best, all looks, and its process's CPU seconds."""
        fitted = start(model, valid.train)
        worker, looks, kept = fitted.worker, list[Tried](), fitted
        for epochs in range(self.every, self.most + 1, self.every):
            fitted = fitted.trained(self.every)
            value = validation_value(fitted, valid, self.name)
            looks.append(Tried(replace(model, epochs=epochs), value, fitted.fit_cpu_s))
            values = [one.value for one in looks]
            if value > max(values[:-1], default=-1.0):
                worker.ask("keep")
                kept = fitted
            since = len(values) - 1 - int(np.argmax(values))
            if since >= self.patience or worker.cpu_s > self.budget_cpu_s:
                break
        worker.ask("restore")
        return kept, looks, worker.cpu_s


def _length(train: Histories, lengths: tuple[int, int]) -> int:
    most = float(np.quantile(train.sizes[train.sizes > 0], 0.9)) if train.item.size else 0.0
    return int(np.clip(np.ceil(most), *lengths))


def sasrec_search(seed: int) -> SASRecSearch:
    """SASRec with dropout and epochs chosen."""
    return SASRecSearch([SASRec(dropout=one, seed=seed) for one in (0.2, 0.5)])
