"""Every model that `tagcf evaluate` knows, by its name in the contract.

A name maps to a function that makes the model's `Search` out of what may be used beside
histories (`Beside`: tags and a seed). Imports of optional packages stay inside these functions,
and a missing one is a `MissingExtraError`.
"""

from __future__ import annotations

from collections.abc import Callable

from tagcf.recommend.baselines.als import als_search
from tagcf.recommend.baselines.co_visitation import co_visitation_search
from tagcf.recommend.baselines.ease import ease_recency_search, ease_search
from tagcf.recommend.baselines.item_knn import item_knn_search
from tagcf.recommend.baselines.popularity import Popularity, recent_popularity_search
from tagcf.recommend.baselines.sasrec import sasrec_search
from tagcf.recommend.evaluate.search import Already, Beside, Grid, Search
from tagcf.recommend.linear.search import LinearSearch
from tagcf.recommend.sequence.fusion import FusedSearch
from tagcf.recommend.sequence.paper import paper_search
from tagcf.recommend.sequence.transformer import transformer_search
from tagcf.recommend.terms.search import ShippedSearch


def shipped_search(beside: Beside) -> Search:
    """The model of ``[recommend] model`` with the terms that validation lets it have."""
    shipping, known = beside.shipping, beside.chosen
    inner = MODELS[shipping.model](beside) if known is None else Already(known)
    if shipping.side is None:
        return inner
    return ShippedSearch(inner, shipping.side, shipping.loss, beside.seed)


MODELS: dict[str, Callable[[Beside], Search]] = {
    "popularity": lambda _: Grid("popularity", [Popularity()]),
    "recent-popularity": lambda _: recent_popularity_search(),
    "item-knn": lambda _: item_knn_search(),
    "co-visitation": lambda _: co_visitation_search(),
    "ease": lambda _: ease_search(),
    "ease-recency": lambda _: ease_recency_search(),
    "als": lambda beside: als_search(beside.seed),
    "sasrec": lambda beside: sasrec_search(beside.seed),
    "linear": lambda _: LinearSearch(),
    "transformer": transformer_search,
    "fused": FusedSearch,
    "tagcf": shipped_search,  # what `tagcf train` ships
    "tagcf-paper-util": lambda beside: paper_search(beside, extended=False),
    "tagcf-paper-expl": lambda beside: paper_search(beside, extended=True),
}

# Models whose figures depend on a seed; the others run once.
RANDOM = frozenset(
    {"als", "sasrec", "transformer", "fused", "tagcf-paper-util", "tagcf-paper-expl"}
)

# Models that train for minutes where the others take seconds: run when they are asked for.
SLOW = frozenset({"sasrec", "transformer", "fused", "tagcf-paper-util", "tagcf-paper-expl"})
