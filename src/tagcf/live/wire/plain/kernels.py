"""A compiled reader of flat JSON objects; whatever is not plain it leaves to another."""

from __future__ import annotations

import numpy as np
from numba import njit

# Fields: strings first (ids, text, ts where it is written as text), then what becomes a number.
TEXT, TS_TEXT, STRINGS = 7, 8, 9
TS, ACTION, VALUE = 8, 9, 10  # fields as they are named; ids and text are 0..7
NOT_PLAIN = -1

_1, _7, _56 = np.uint64(1), np.uint64(7), np.uint64(56)
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_QUOTES = np.uint64(0x2222222222222222)
_SLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
_SPACES = np.uint64(0x2020202020202020)
_PLACE = np.uint64(0x0001020304050607)
_QUOTE, _SLASH, _COMMA, _COLON, _MINUS, _PLUS, _DOT = 34, 92, 44, 58, 45, 43, 46
_ZERO, _NINE, _BRACE, _END, _ARRAY, _CLOSE = 48, 57, 123, 125, 91, 93
_POWERS = 10.0 ** np.arange(23)  # exact
_SPLIT = 134217729.0  # 2^27 + 1
_NEEDED = 1 << 1 | 1 << TS | 1 << ACTION  # user_id, ts, action


@njit(cache=True, nogil=True, inline="always")
def _word(data, at):
    at = np.uint64(at)
    return (
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
    )


@njit(cache=True, nogil=True, inline="always")
def _put(out, at, word):
    at = np.uint64(at)
    for k in range(8):
        out[at + np.uint64(k)] = np.uint8(word >> np.uint64(8 * k))


@njit(cache=True, nogil=True, inline="always")
def _stops(w):
    """High bit of each byte up to the first that is a quote, a backslash or a control."""
    q, s = w ^ _QUOTES, w ^ _SLASHES
    quote = (q - _ONES) & ~q
    slash = (s - _ONES) & ~s
    control = (w - _SPACES) & ~w
    return (quote | slash | control) & _HIGH


@njit(cache=True, nogil=True, inline="always")
def _first(stops):
    """Place, 0..7, of the lowest byte whose high bit is set."""
    low = stops & (~stops + _1)
    return np.int64(((low >> _7) * _PLACE) >> _56)


@njit(cache=True, nogil=True)
def _hex(data, at):
    """Read four hexadecimal digits; -1 where they are none."""
    code = np.int64(0)
    for k in range(4):
        c = np.int64(data[at + k])
        if _ZERO <= c <= _NINE:
            digit = c - _ZERO
        elif 97 <= c <= 102:
            digit = c - 87
        elif 65 <= c <= 70:
            digit = c - 55
        else:
            return -1
        code = code * 16 + digit
    return code


@njit(cache=True, nogil=True)
def _unescape(data, at, out, pos):  # noqa: PLR0911 (a way out for each length)
    """Write what the escape after the backslash at `at` means; returns the places after both."""
    c = data[at + 1]
    if c != 117:
        plain = b'"\\/bfnrt'
        means = b'"\\/\b\f\n\r\t'
        for k in range(8):
            if c == plain[k]:
                out[pos] = means[k]
                return at + 2, pos + 1
        return NOT_PLAIN, pos
    code = _hex(data, at + 2)
    at += 6
    if 0xD800 <= code < 0xDC00 and data[at] == _SLASH and data[at + 1] == 117:
        low = _hex(data, at + 2)
        if not 0xDC00 <= low < 0xE000:
            return NOT_PLAIN, pos
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        at += 6
    if code < 0 or 0xD800 <= code < 0xE000:
        return NOT_PLAIN, pos
    if code < 0x80:
        out[pos] = code
        return at, pos + 1
    if code < 0x800:
        out[pos] = 0xC0 | code >> 6
        out[pos + 1] = 0x80 | code & 0x3F
        return at, pos + 2
    if code < 0x10000:
        out[pos] = 0xE0 | code >> 12
        out[pos + 1] = 0x80 | code >> 6 & 0x3F
        out[pos + 2] = 0x80 | code & 0x3F
        return at, pos + 3
    out[pos] = 0xF0 | code >> 18
    out[pos + 1] = 0x80 | code >> 12 & 0x3F
    out[pos + 2] = 0x80 | code >> 6 & 0x3F
    out[pos + 3] = 0x80 | code & 0x3F
    return at, pos + 4


@njit(cache=True, nogil=True, inline="always")
def _string(data, at, out, pos):
    """Copy the string that begins at `at`, after its quote; returns the places after both."""
    while True:
        w = _word(data, at)
        _put(out, pos, w)
        stops = _stops(w)
        if stops == 0:
            at += 8
            pos += 8
            continue
        k = _first(stops)
        at += k
        pos += k
        if data[at] == _QUOTE:
            return at + 1, pos
        if data[at] != _SLASH:
            return NOT_PLAIN, pos
        at, pos = _unescape(data, at, out, pos)
        if at < 0:
            return at, pos


@njit(cache=True, nogil=True)
def _quotient(mantissa, power):
    """Nearest double to mantissa / 10^power for mantissas from 2^53; NaN if too close to a tie.

    The quotient of the rounded numbers is off by one place at most; the remainder, exact by
    Dekker's product, says whether and to which side.
    """
    high = np.float64(mantissa >> np.uint64(11)) * 2048.0
    low = np.float64(mantissa & np.uint64(2047))
    d = _POWERS[power]
    q = (high + low) / d
    p = q * d
    q1 = q * _SPLIT
    q1 = q1 - (q1 - q)
    d1 = d * _SPLIT
    d1 = d1 - (d1 - d)
    e = ((q1 * d1 - p) + q1 * (d - d1) + (q - q1) * d1) + (q - q1) * (d - d1)
    rest = ((high - p) + low) - e
    side = np.nextafter(q, np.inf if rest > 0 else -np.inf)
    half = 0.5 * abs(side - q) * d
    if abs(rest) < half * (1 - 1e-12):
        return q
    return side if abs(rest) > half * (1 + 1e-12) else np.nan


@njit(cache=True, nogil=True, inline="always")
def _number(data, at):
    """Read a JSON number exactly; returns it and the place after it, NOT_PLAIN if unsure."""
    negative = data[at] == _MINUS
    if negative:
        at += 1
    begin = at
    mantissa = np.uint64(0)
    while _ZERO <= data[at] <= _NINE:
        mantissa = mantissa * np.uint64(10) + np.uint64(data[at] - _ZERO)
        at += 1
    digits, power = at - begin, 0
    if digits == 0 or (digits > 1 and data[begin] == _ZERO):
        return 0.0, NOT_PLAIN
    if data[at] == _DOT:
        at += 1
        begin = at
        while _ZERO <= data[at] <= _NINE:
            mantissa = mantissa * np.uint64(10) + np.uint64(data[at] - _ZERO)
            at += 1
        power = at - begin
        digits += power
        if power == 0:
            return 0.0, NOT_PLAIN
    if digits > 19 or power > 22 or data[at] == 101 or data[at] == 69:
        return 0.0, NOT_PLAIN
    if mantissa < np.uint64(1 << 53):
        value = np.float64(mantissa) / _POWERS[power]
    else:
        value = _quotient(mantissa, power)
        if np.isnan(value):
            return 0.0, NOT_PLAIN
    return -value if negative else value, at


@njit(cache=True, nogil=True, inline="always")
def _whole(data, at, out, pos):
    """Copy a whole number as text; returns the places after both."""
    begin = at
    if data[at] == _MINUS:
        out[pos] = _MINUS
        at += 1
        pos += 1
    first = at
    while _ZERO <= data[at] <= _NINE:
        out[pos] = data[at]
        at += 1
        pos += 1
    digits = at - first
    odd = data[first] == _ZERO and (digits > 1 or first > begin)
    if digits == 0 or digits > 18 or odd or data[at] in (_DOT, 101, 69):
        return NOT_PLAIN, pos
    return at, pos


@njit(cache=True, nogil=True, inline="always")
def _null(data, at):
    return data[at] == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108


@njit(cache=True, nogil=True, inline="always")
def _skip(data, at, lines):
    """Place of the next letter that is no space; ends of lines count as spaces in an array."""
    while data[at] == 32 or data[at] == 9 or (not lines and (data[at] == 10 or data[at] == 13)):
        at += 1
    return at


@njit(cache=True, nogil=True, inline="always")
def _name(data, at, names, lengths, guess):
    """Which of the names the string at `at` is, asking for the guess first; -1 for none."""
    first, rest = _word(data, at), _word(data, at + 8)
    for t in range(lengths.size):
        k = guess + t
        k = k if k < lengths.size else k - lengths.size
        n = lengths[k]
        if data[at + n] == _QUOTE:
            if n < 8:
                mask = (_1 << np.uint64(8 * n)) - _1
                if first & mask == names[k, 0]:
                    return k
            elif first == names[k, 0]:
                mask = (_1 << np.uint64(8 * (n - 8))) - _1
                if rest & mask == names[k, 1]:
                    return k
    return -1


# One state machine: its ways out are where text is not plain.
@njit(cache=True, nogil=True)
def parse(  # noqa: PLR0911, PLR0912, PLR0915
    data,
    fields,
    field_lengths,
    actions,
    action_lengths,
    out,
    offsets,
    valid,
    ts,
    action,
    value,
):
    """Read an array of events or an event a line; returns how many, or NOT_PLAIN.

    Parameters
    ----------
    data
        (m + 16,) the text, followed by zeros.
    fields, actions
        (k, 2) the first 16 bytes of each name as words; with their lengths.
    out, offsets, valid
        (9 (m + 16),), (9, n + 1), (9, n): letters, ends and presence of seven ids, of the text,
        and of times that are written as text. The letters of one lie in its ninth of `out`,
        which is not cut up here: a view counts its references, and that takes time.
    ts, action, value
        (n,) the rest; NaN where there is no value, or the time is text.
    """
    size = data.size - 16
    pos = np.arange(STRINGS) * data.size
    follows = np.arange(1, field_lengths.size + 1)
    follows[-1] = 0
    rows, guess = 0, 0
    at = _skip(data, 0, False)
    lines = data[at] != _ARRAY
    if not lines:
        at = _skip(data, at + 1, False)
        if data[at] == _CLOSE:
            return 0 if _skip(data, at + 1, False) == size else NOT_PLAIN
    while at < size:
        if data[at] != _BRACE or rows == ts.size:
            return NOT_PLAIN
        at = _skip(data, at + 1, lines)
        seen = 0
        ts[rows] = np.nan
        value[rows] = np.nan
        before = field_lengths.size - 1
        while True:
            if data[at] != _QUOTE:
                return NOT_PLAIN
            guess = follows[before]
            field = _name(data, at + 1, fields, field_lengths, guess)
            if field < 0 or seen >> field & 1:
                return NOT_PLAIN
            follows[before] = field
            before = field
            at = _skip(data, at + field_lengths[field] + 2, lines)
            if data[at] != _COLON:
                return NOT_PLAIN
            at = _skip(data, at + 1, lines)
            seen |= 1 << field
            if field <= TEXT:
                if data[at] == _QUOTE:
                    at, pos[field] = _string(data, at + 1, out, pos[field])
                    valid[field, rows] = True
                elif _null(data, at):
                    at += 4
                    seen ^= 1 << field if field == 1 else 0
                elif field < TEXT:
                    at, pos[field] = _whole(data, at, out, pos[field])
                    valid[field, rows] = True
                else:
                    return NOT_PLAIN
            elif field == ACTION:
                if data[at] != _QUOTE:
                    return NOT_PLAIN
                code = _name(data, at + 1, actions, action_lengths, 0)
                if code < 0:
                    return NOT_PLAIN
                action[rows] = code
                at += action_lengths[code] + 2
            elif field == TS and data[at] == _QUOTE:
                at, pos[TS_TEXT] = _string(data, at + 1, out, pos[TS_TEXT])
                valid[TS_TEXT, rows] = True
            elif field == VALUE and _null(data, at):
                at += 4
            else:
                number, at = _number(data, at)
                if field == TS:
                    ts[rows] = number
                else:
                    value[rows] = number
            if at < 0:
                return NOT_PLAIN
            at = _skip(data, at, lines)
            if data[at] == _COMMA:
                at = _skip(data, at + 1, lines)
                continue
            if data[at] == _END:
                at += 1
                break
            return NOT_PLAIN
        if seen & _NEEDED != _NEEDED:
            return NOT_PLAIN
        rows += 1
        for k in range(STRINGS):
            offsets[k, rows] = pos[k] - k * data.size
        if lines:
            begin = _skip(data, at, True)
            at = _skip(data, begin, False)
            if at == begin and at < size:
                return NOT_PLAIN
        else:
            at = _skip(data, at, False)
            if data[at] == _CLOSE:
                return rows if _skip(data, at + 1, False) == size else NOT_PLAIN
            if data[at] != _COMMA:
                return NOT_PLAIN
            at = _skip(data, at + 1, False)
    return rows if lines else NOT_PLAIN
