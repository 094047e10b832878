"""Numbers and spans of time as people write them, zh and en."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagcf.errors import SettingsError

Span = tuple[float, float]

_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "俩": 2, "三": 3, "四": 4, "五": 5, "六": 6,
           "七": 7, "八": 8, "九": 9}  # fmt: skip
_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40,
    "forty five": 45, "forty-five": 45, "fifty": 50, "sixty": 60, "ninety": 90, "couple of": 2,
}  # fmt: skip
_ZH = "[零〇一二两俩三四五六七八九十百]+"
_NUMBER = rf"(?<![a-z\d.])(?:\d+(?:\.\d+)?|{_ZH}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})"
_HALF = re.compile(r"(半个?(?:小时|钟头)|half an hour|half hour|half-hour|半点钟)")
_AND_HALF = re.compile(
    rf"(?:({_NUMBER})\s*个半(?:小时|钟头)|({_NUMBER}) and a half hours?|an hour and a half)"
)
_HOURS = re.compile(rf"({_NUMBER})\s*个?\s*(?:小时|钟头|hours?\b|hrs?\b|(?<=\d)h\b)")
_MINUTES = re.compile(rf"({_NUMBER})\s*(?:分钟|分|minutes?\b|mins?\b|(?<=\d)m\b)")
_BARE_HOUR = re.compile(r"\b(?:the )?(?:last|past) hour\b")
_COUNT = re.compile(rf"(?:top|前|最.*?的?)\s*({_NUMBER})\s*(?:个|项|种|大|interests?|tags?|\b)")

_DAYS = (
    (re.compile(r"前天|前晚|day before yesterday"), -2),
    (re.compile(r"昨|yesterday|last night|last evening"), -1),
    (re.compile(r"今|today|this (?:morning|afternoon|evening)|tonight"), 0),
)
_HOURS_OF = (
    (re.compile(r"凌晨|small hours|after midnight"), (0, 6)),
    (re.compile(r"上午|早上|早晨|今早|昨早|morning"), (6, 12)),
    (re.compile(r"下午|午后|afternoon"), (12, 18)),
    (re.compile(r"中午|noon|lunch"), (11, 14)),
    (re.compile(r"晚|夜|evening|night|tonight"), (18, 24)),
)
_NAMES = ("一", "二", "三", "四", "五", "六", "日天")
_ENGLISH = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_JUST_NOW = re.compile(r"刚才|刚刚|just now")
JUST_NOW = 600.0  # seconds of "just now"


def zone_of(name: str) -> tzinfo:
    """Return a time zone.

    Raises
    ------
    SettingsError
        There is none of that name here.
    """
    if name == "UTC":
        return UTC  # also where the system has no time zones
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise SettingsError("data.unknown_zone", name=name, hint="") from unknown


def number_in(text: str) -> float | None:
    """Return a number written in digits, as a Chinese numeral or in English."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if text in _WORDS:
        return float(_WORDS[text])
    if not re.fullmatch(_ZH, text):
        return None
    total, last = 0, 0
    for letter in text:
        if letter in "十百":
            total += (last or 1) * (10 if letter == "十" else 100)
            last = 0
        else:
            last = _DIGITS[letter]
    return float(total + last)


def minutes_in(text: str) -> float | None:
    """Minutes that a text tells: 20 分钟, 半小时, an hour and a half; none: it tells no time."""
    found = _AND_HALF.search(text)
    if found:
        whole = number_in(found[1] or found[2] or "one")
        return 60 * ((whole or 1) + 0.5)
    total = 30.0 if _HALF.search(text) else 0.0
    text = _HALF.sub(" ", text)
    for pattern, each in ((_HOURS, 60.0), (_MINUTES, 1.0)):
        found = pattern.search(text)
        if found:
            total += each * (number_in(found[1]) or 0.0)
    if not total and _BARE_HOUR.search(text):
        total = 60.0
    return total or None


def count_in(text: str) -> float | None:
    """How many a text asks for: top 5, 最喜欢的三个."""
    found = _COUNT.search(text)
    return number_in(found[1]) if found else None


def span_in(text: str, now: float, zone: str = "UTC") -> Span | None:
    """Span of the past that a text names, epoch seconds; none: it names none.

    Evenings and nights are the hours from 18 to 24, mornings 6 to 12, afternoons 12 to 18 of the
    day in `zone`; a span ends now at the latest.
    """
    day = _day_in(text, now, zone)
    if day is None:
        minutes = minutes_in(text)
        if minutes:
            return now - 60 * minutes, now
        return (now - JUST_NOW, now) if _JUST_NOW.search(text) else None
    hours = next((hours for pattern, hours in _HOURS_OF if pattern.search(text)), (0, 24))
    since, until = (_at(day, hour) for hour in hours)
    return (since, min(until, now)) if since < now else None


def _at(day: datetime, hour: int) -> float:
    return (day + timedelta(days=hour // 24)).replace(hour=hour % 24).timestamp()


def _day_in(text: str, now: float, zone: str) -> datetime | None:
    """Midnight of the day that a text names."""
    today = datetime.fromtimestamp(now, zone_of(zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    for pattern, days in _DAYS:
        if pattern.search(text):
            return today + timedelta(days=days)
    named = re.search(r"(?:周|星期|礼拜)([一二三四五六日天])", text)
    weekday = None
    if named:
        weekday = next(k for k, name in enumerate(_NAMES) if named[1] in name)
    else:
        weekday = next((k for k, name in enumerate(_ENGLISH) if name in text), None)
    if weekday is None:
        return None
    back = (today.weekday() - weekday) % 7
    return today - timedelta(days=back or (0 if "今" in text else 7))
