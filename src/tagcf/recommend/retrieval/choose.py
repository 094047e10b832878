"""Which fitted models have a short way to their best items, and from which size on it is taken."""

from __future__ import annotations

from dataclasses import replace

from tagcf.recommend.baselines.co_visitation import FittedCoVisitation
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.retrieval.contract import EXACT_ITEMS, Retriever
from tagcf.recommend.retrieval.fused import FusedItems, Member
from tagcf.recommend.retrieval.touched import TouchedItems
from tagcf.recommend.retrieval.vectors import NearVectors, transformer_index
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.sequence.fusion import FittedFusion
from tagcf.recommend.sequence.transformer import FittedTransformer


def retriever_of(fitted: Fitted) -> Retriever | None:
    """Give the model's retriever; None where every item is to be scored."""
    if isinstance(fitted, FittedFusion):
        members = [_member(one) for one in fitted.models]
        found = tuple(one for one in members if one is not None)
        return FusedItems(found, fitted.weights) if len(found) == len(members) else None
    return _member(fitted)


def indexed(fitted: Fitted, histories: Histories) -> Fitted:
    """Index the items of a transformer, alone or in a fusion, where the catalogue is large."""
    if histories.n_items <= EXACT_ITEMS:
        return fitted
    if isinstance(fitted, FittedFusion):
        return replace(fitted, models=tuple(indexed(one, histories) for one in fitted.models))
    if isinstance(fitted, FittedTransformer):
        return replace(fitted, index=transformer_index(fitted.weights, histories))
    return fitted


def _member(fitted: Fitted) -> Member | None:
    if isinstance(fitted, FittedLinear) and fitted.n_items > EXACT_ITEMS:
        return TouchedItems.of(fitted)
    if isinstance(fitted, FittedCoVisitation) and fitted.count.size > EXACT_ITEMS:
        return TouchedItems.of_pairs(fitted)
    if isinstance(fitted, FittedTransformer) and fitted.index is not None:
        return NearVectors.of(fitted.weights, fitted.index)
    return None
