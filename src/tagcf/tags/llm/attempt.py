"""What to try after a request brought no answer. A pure decision, the client carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tagcf.tags.llm.failures import PASSING, Refusal, Trouble
from tagcf.tags.llm.pace import PATIENCE_S
from tagcf.tags.llm.request import RULES, Request
from tagcf.tags.llm.ways import Dialect, Way, weaker

ASKED_AGAIN = 1  # times that an unusable answer is asked for again
HALF = 0.5  # of the text is kept where a server doesn't say how much would fit
ROOM = 0.85  # of what should fit is sent: tokens are no characters

# What another wording of the same request gets round.
ADAPTS = frozenset({Trouble.TOKENS_NAME, Trouble.TEMPERATURE, Trouble.LIMITS})
# Statuses with which servers reject a field they don't know.
_REJECTIONS = frozenset({400, 415, 422, 500, 501})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a request, and what was tried before it."""

    request: Request
    way: Way
    dialect: Dialect
    resent: int = 0  # times it was sent again unchanged; the budget limits them
    unusable: int = 0  # answers without the object asked for, this way
    rejected: int = 0  # failures this way that may or may not be about the way
    shortened: bool = False
    backoff: int = 0  # which wait comes before it: 0 none, else exponential
    pause_s: float = 0.0  # the server asked all to wait so long


def first_attempt(request: Request, dialect: Dialect) -> Attempt:
    """Send a request the way that is known to work, or the strictest."""
    return Attempt(request if dialect.sees else request.without_images(), dialect.way, dialect)


def next_attempt(
    last: Attempt, refusal: Refusal, known: Dialect, retries: int, *, reached: bool
) -> Attempt | None:
    """Return what to try next, or ``None`` to give the request up.

    Parameters
    ----------
    last, refusal
        What was sent, and what came of it.
    known
        What is known of the server now; another worker may have found something meanwhile.
    retries
        How often a request may be sent again unchanged.
    reached
        Whether the server ever answered: one that never did is not waited for.
    """
    fresh = replace(last, dialect=known, backoff=0, pause_s=0.0)
    match refusal.trouble:
        case trouble if trouble in ADAPTS and last.dialect.adapted(trouble) is not None:
            return fresh
        case Trouble.NO_IMAGES | Trouble.BAD_IMAGE:
            return _blind(fresh)
        case Trouble.TOO_LONG:
            return _shorter(fresh, refusal)
        case _ if _about_the_way(last, refusal, known) and (way := _other_way(last, known)):
            return replace(fresh, way=way, unusable=0, rejected=0)
        case Trouble.NO_JSON:
            again = replace(fresh, unusable=last.unusable + 1, resent=last.resent + 1)
            return again if last.unusable < min(ASKED_AGAIN, retries) else None
        case _:
            return _later(fresh, refusal, retries, reached=reached)


def _other_way(last: Attempt, known: Dialect) -> Way | None:
    """The way that was proven meanwhile, else the next weaker one."""
    return known.way if known.proven and known.way is not last.way else weaker(last.way)


def _about_the_way(last: Attempt, refusal: Refusal, known: Dialect) -> bool:
    """Whether another way of asking for JSON may help."""
    if refusal.trouble in {Trouble.FORMAT, Trouble.LIMITS}:
        return True
    if known.proven and known.way is last.way:
        return False
    if refusal.trouble is Trouble.BROKEN:  # may be a passing failure: the second time it counts
        return refusal.status in _REJECTIONS and last.rejected > 0
    return refusal.trouble is Trouble.NO_JSON or (
        refusal.trouble is Trouble.REFUSED and refusal.status in _REJECTIONS
    )


def _blind(last: Attempt) -> Attempt | None:
    """The same question without its pictures, if there are words."""
    words = last.request.without_images()
    return replace(last, request=words) if last.request.images and words.blocks else None


def _shorter(last: Attempt, refusal: Refusal) -> Attempt | None:
    """Cut the data so that the whole prompt should fit; once only."""
    request = last.request
    if last.shortened or not request.characters or not request.divisible:
        return None
    share = HALF
    if refusal.fits is not None:
        ours = len(request.instructions) + len(RULES)
        room = refusal.fits * ROOM * (request.characters + ours) - ours
        share = min(room / request.characters, ROOM)
    if share <= 0:
        return None
    return replace(last, request=request.shortened(share), shortened=True)


def _later(last: Attempt, refusal: Refusal, retries: int, *, reached: bool) -> Attempt | None:
    """Send the same again after a wait, within the budget."""
    trouble, resent = refusal.trouble, last.resent + 1
    hopeless = trouble is Trouble.UNREACHABLE and not reached
    too_long = refusal.wait_s is not None and refusal.wait_s > PATIENCE_S
    if trouble not in PASSING or resent > retries or hopeless or too_long:
        return None
    return replace(
        last,
        resent=resent,
        rejected=last.rejected + 1,
        backoff=resent,
        pause_s=refusal.wait_s or 0.0,
    )
