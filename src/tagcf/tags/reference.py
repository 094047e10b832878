"""Writes the reference page of the vocabulary: ``python -m tagcf.tags.reference > PAGE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tagcf.tags.surface import surface_rules
from tagcf.tags.vocabulary import FACETS, Vocabulary, default_vocabulary
from tagcf.types import Tag

COMMAND = "python -m tagcf.tags.reference > docs/reference/vocabulary.md"


def vocabulary_page(vocabulary: Vocabulary) -> str:
    """Return the page in Markdown: every facet as a tree, then the surface tags."""
    lines = [
        "# Vocabulary",
        "",
        f"{len(vocabulary)} tags, version `{vocabulary.version}`. "
        f"This page is generated: `{COMMAND}`.",
        "",
        "A tag may be named by its slug, its Chinese or English name, or an alias, in any case.",
        "Indented tags are kinds of the one above them.",
    ]
    for facet in FACETS:
        own = [tag for tag in vocabulary.tags if tag.facet == facet]
        lines += ["", f"## {facet} ({len(own)})", ""]
        lines += _tree(own, None, 0)
    lines += [
        "",
        "## surface",
        "",
        "How a headline is put; added when `tags.surface` is true. A rule sees the text as it is.",
        "",
        "| slug | zh | en | carried when the text |",
        "|---|---|---|---|",
    ]
    for rule in surface_rules():
        means = rule.means.replace("|", "\\|")
        lines.append(f"| `{rule.tag.slug}` | {rule.tag.zh} | {rule.tag.en} | {means} |")
    return "\n".join(lines) + "\n"


def _tree(tags: list[Tag], parent: str | None, depth: int) -> Iterator[str]:
    for tag in tags:
        if tag.parent == parent:
            aliases = f" ({', '.join(tag.aliases)})" if tag.aliases else ""
            yield f"{'  ' * depth}- `{tag.slug}` {tag.zh} · {tag.en}{aliases}"
            yield from _tree(tags, tag.slug, depth + 1)


if __name__ == "__main__":
    sys.stdout.write(vocabulary_page(default_vocabulary()))
