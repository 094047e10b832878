"""Who is about to buy, how sure, and when to reach out."""

from tagcf.live.rooms.purchase.model import PurchaseIntent, fit_intent
from tagcf.live.rooms.purchase.moments import Moments, bought_within, find_moments
from tagcf.live.rooms.purchase.store import read_intent, shipped_intent, write_intent

__all__ = [
    "Moments",
    "PurchaseIntent",
    "bought_within",
    "find_moments",
    "fit_intent",
    "read_intent",
    "shipped_intent",
    "write_intent",
]
