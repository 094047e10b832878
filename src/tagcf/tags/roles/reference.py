"""Writes the reference page of the roles: ``python -m tagcf.tags.roles.reference > PAGE``."""

from __future__ import annotations

import sys

from tagcf.tags.roles.vocabulary import PROTECTED, RoleVocabulary, all_roles

COMMAND = "python -m tagcf.tags.roles.reference > docs/reference/roles.md"


def roles_page(every: RoleVocabulary) -> str:
    """Return the page in Markdown: every role under its part of life, protected ones marked."""
    attribute = dict(every.protected)
    parts = dict(every.parts)
    lines = [
        "# Roles",
        "",
        f"{len(every)} roles, version `{every.version}`. This page is generated: `{COMMAND}`.",
        "",
        "A role says whom an item speaks to. The roles in bold touch a protected attribute and are",
        "**off**, unless `[roles] protected` in tagcf.toml switches their attribute on",
        "([how](../how-to/roles-and-tree.md)).",
        "",
        "| attribute | roles that are off |",
        "|---|---|",
    ]
    for one in PROTECTED:
        own = [role for role in every.roles if attribute.get(role.slug) == one]
        lines.append(f"| {one} | {', '.join(f'{role.zh} {role.en}' for role in own)} |")
    for part in dict.fromkeys(parts.values()):
        own = [role for role in every.roles if parts[role.slug] == part]
        lines += ["", f"## {part} ({len(own)})", ""]
        for role in own:
            aliases = f" ({', '.join(role.aliases)})" if role.aliases else ""
            mark = f" **{attribute[role.slug]}**" if role.slug in attribute else ""
            lines.append(f"- `{role.slug}` {role.zh} · {role.en}{aliases}{mark}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(roles_page(all_roles()))
