"""When a tag cannot be told: the rules, in the order in which they are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tagcf.types import Floats, Mask, Reason, Tag

FEWEST_EFFECTIVE = 8.0  # effective clusters below which a t says nothing reliable
LEAST_UNIQUE = 0.02  # share of a tag's variance that must be its own
FEWEST_STRATA = 10  # strata in which a tag must vary
FEWEST_CONTROL_ITEMS = 5  # a tag on fewer items is not even held fixed for the others


def refuse(
    tags: Sequence[Tag],
    *,
    items: Floats,
    n_items: int,
    min_items: int,
    kept: Mask,
    aliases: tuple[tuple[int, int], ...],
    unique_share: Floats,
    effective: Floats,
    nearest: tuple[int, ...],
    strata: Floats | None = None,
    crossing: Floats | None = None,
) -> tuple[Reason | None, ...]:
    """Name for each tag the first rule that fired, or None.

    Parameters
    ----------
    items
        (T,) items that carry each tag among the rows used, of `n_items`.
    kept, unique_share
        (T,) as in `Solution`.
    effective
        (T,) effective clusters.
    nearest
        (T,) position of the tag that each is most alike.
    crossing
        (T,) effective clusters along the axes that items straddle (users); None where there is no
        such axis.
    strata
        (T,) strata in which the tag varies; None where there are none.
    """
    partner: dict[int, int] = {}
    for lost, other in aliases:
        partner.setdefault(lost, other)
        partner.setdefault(other, lost)
    reasons: list[Reason | None] = []
    for at in range(len(tags)):
        like = tags[partner.get(at, nearest[at])]
        if items[at] == 0 or items[at] == n_items:
            which = "reason.on_no_item" if items[at] == 0 else "reason.on_every_item"
            reasons.append(Reason(which, (("n", n_items),)))
        elif items[at] < min_items:
            reasons.append(Reason("reason.few_items", (("n", int(items[at])), ("need", min_items))))
        elif n_items - items[at] < min_items:
            without = int(n_items - items[at])
            reasons.append(Reason("reason.few_without", (("n", without), ("need", min_items))))
        elif at in partner:
            reasons.append(Reason("reason.aliased", (("zh", like.zh), ("en", like.en))))
        elif not kept[at]:
            reasons.append(Reason("reason.no_variation"))
        elif strata is not None and strata[at] < FEWEST_STRATA:
            facts = (("n", int(strata[at])), ("need", FEWEST_STRATA))
            reasons.append(Reason("reason.few_strata", facts))
        elif unique_share[at] < LEAST_UNIQUE:
            share = round(100 * (1 - float(unique_share[at])), 1)
            facts3 = (("share", share), ("zh", like.zh), ("en", like.en))
            reasons.append(Reason("reason.near_duplicate", facts3))
        elif effective[at] < FEWEST_EFFECTIVE:
            n = round(float(effective[at]), 1)
            reasons.append(Reason("reason.few_effective", (("n", n), ("need", FEWEST_EFFECTIVE))))
        elif crossing is not None and crossing[at] < FEWEST_EFFECTIVE:
            n = round(float(crossing[at]), 1)
            reasons.append(Reason("reason.few_users", (("n", n), ("need", FEWEST_EFFECTIVE))))
        else:
            reasons.append(None)
    return tuple(reasons)


def names_of_control(
    control: str, names: Mapping[str, tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Facts of a reason that names a control: tags by their names, columns as configured.

    Parameters
    ----------
    control
        A column, a slug, or ``tag:`` and a slug.
    names
        Slug to (zh, en).
    """
    zh, en = names.get(control.removeprefix("tag:"), (control, control))
    return (("zh", zh), ("en", en))


def nearest_tags(carried: Floats) -> tuple[int, ...]:
    """(T,) for each tag the other one that it correlates with most over items."""
    centred = carried - carried.sum(axis=0) / max(len(carried), 1)
    return nearest_by_gram(centred.T @ centred)


def nearest_by_gram(gram: Floats) -> tuple[int, ...]:
    """(T,) for each tag the other one that it correlates with most, from the Gram (T, T)."""
    norm = np.sqrt(np.maximum(np.diag(gram), 0.0))
    correlation = gram / np.maximum(np.outer(norm, norm), 1e-300)
    np.fill_diagonal(correlation, 0.0)
    return tuple(int(at) for at in np.abs(correlation).argmax(axis=1))
