"""What `tagcf train` says of a large catalogue or log: its tables, and how it is searched."""

from __future__ import annotations

from typing import Any, TypeVar

from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.pipeline import Models
from tagcf.recommend.retrieval.contract import EXACT_ITEMS
from tagcf.recommend.retrieval.index import ItemIndex, installed
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.sequence.fusion import FittedFusion
from tagcf.recommend.sequence.transformer import FittedTransformer
from tagcf.text import say

Kind = TypeVar("Kind")


def scale_json(models: Models) -> dict[str, Any]:
    """Whether tables are streamed, and how candidates are found."""
    index = _index(models)
    found = "every item" if models.retriever is None else "exact"
    return {
        "streamed": _neighbours(models) is not None,
        "candidates_by": found if index is None or models.retriever is None else "index",
        "index_recall": None if index is None else index.recall,
    }


def scale_sentences(models: Models, n_items: int) -> list[str]:
    """Sentences for people; none of a model of ordinary size."""
    out = []
    if (neighbours := _neighbours(models)) is not None:
        out.append(say("recommend.trained_streamed", n=neighbours))
    if n_items <= EXACT_ITEMS:
        return out
    facts = {"items": f"{n_items:,}", "most": f"{EXACT_ITEMS:,}"}
    index = _index(models)
    if models.retriever is None:
        bare = bool(_of(models, FittedTransformer)) and not installed()
        key = "recommend.trained_without_index" if bare else "recommend.trained_whole"
        out.append(say(key, **facts))
    elif index is not None:
        out.append(say("recommend.trained_index", recall=f"{index.recall:.3f}", **facts))
    else:
        out.append(say("recommend.trained_touched", **facts))
    return out


def _neighbours(models: Models) -> int | None:
    """Entries of a streamed table's row; None where no table is streamed."""
    parts = [part for one in _of(models, FittedLinear) for part in one.settings.parts]
    return next((part.ridge.neighbours for part in parts if part.ridge.streamed), None)


def _index(models: Models) -> ItemIndex | None:
    return next((one.index for one in _of(models, FittedTransformer) if one.index), None)


def _of(models: Models, kind: type[Kind]) -> list[Kind]:
    """The model, or the members of a fusion, of one kind."""
    fitted = models.fitted
    members: tuple[Fitted, ...] = fitted.models if isinstance(fitted, FittedFusion) else (fitted,)
    return [one for one in members if isinstance(one, kind)]
