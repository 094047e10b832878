"""Names of the sources of tags, in the language in force; their ids are for files and programs."""

from __future__ import annotations

from collections.abc import Iterable

from tagcf.text import catalogue, say, visible


def source_name(source: str) -> str:
    """Name one source, or several that agree ("text:usem3+lexicon").

    Examples
    --------
    >>> from tagcf.text import choose_language
    >>> choose_language("zh")
    >>> source_name("text:usem3+lexicon"), source_name("llm:qwen3-8b")
    ('句向量 + 词典', '大模型 qwen3-8b')
    >>> choose_language(None)
    """
    return " + ".join(_one(part) for part in source.split("+"))


def source_names(sources: Iterable[str]) -> str:
    """Name several sources in a row."""
    return say("source.list").join(source_name(one) for one in sources)


def _one(source: str) -> str:
    """A name of the catalogue; a source that a table of one's own names stays as it is."""
    kind, _, name = source.partition(":")
    if kind in {"llm", "student"} and name:
        return say(f"source.{kind}", name=name)
    key = f"source.{source.replace(':', '-')}"
    return say(key) if key in catalogue() and source != "list" else visible(source)
