"""What questions, complaints and wishes are about, and which product number they name."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.live.danmaku.labels import INTENTS, Labels

OTHER = ""
_TABLE_OF = {
    "ask_price": "question",
    "ask_link": "question",
    "ask_detail": "question",
    "complaint": "complaint",
    "request": "request",
}
_NUMBER = r"(?i)(?:^|[^\d.])(\d{1,2})\s*号|(?:number|no\.?|#|链接)\s*(\d{1,2})\b"
_SPOKEN = dict(zip("一二三四五六七八九", "123456789", strict=True))


@cache
def subjects() -> dict[str, dict[str, list[str]]]:
    """Return the words of each subject, by kind of line: question, complaint, request."""
    text = resources.files(__package__).joinpath("subjects.toml").read_text("utf-8")
    read: dict[str, dict[str, list[str]]] = tomllib.loads(text)
    return read


def subjects_of(texts: pl.Series, intent: Labels) -> list[str]:
    """(n,) what each line is about; empty where its intent has no subjects, or none is named.

    Words are looked for as they stand: "没声" is about the sound wherever it appears.
    """
    lines = texts.fill_null("").str.to_lowercase()
    told = np.full(len(lines), OTHER, object)
    for kind, table in subjects().items():
        wanted = [INTENTS.index(name) for name, of in _TABLE_OF.items() if of == kind]
        rows = np.flatnonzero(np.isin(intent, wanted))
        if not len(rows):
            continue
        chosen = lines.gather(rows)
        for subject in reversed(table):
            has = chosen.str.contains_any(table[subject]).to_numpy()
            told[rows[has]] = subject
    names: list[str] = told.tolist()
    return names


def numbers_of(texts: pl.Series) -> NDArray[np.int64]:
    """(n,) the number of the product that a line names, as in "2号" or "link 2"; -1: none."""
    lines = texts.fill_null("")
    for spoken, digit in _SPOKEN.items():
        lines = lines.str.replace_all(f"{spoken}号", f"{digit}号", literal=True)
    first = lines.str.extract(_NUMBER, 1)
    second = lines.str.extract(_NUMBER, 2)
    number = first.fill_null(second).cast(pl.Int64, strict=False).fill_null(-1)
    return np.asarray(number.to_numpy(), np.int64)
