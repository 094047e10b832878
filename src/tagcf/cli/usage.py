"""Wrong usage in the language in force: click itself speaks English alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from tagcf.text import Language, choose_language, did_you_mean, listing, say

# What click says of a value, which kind of mistake that is, and what its groups are.
BAD_VALUES = (
    (re.compile(r"(?P<given>.*) is not one of .*", re.DOTALL), "cli.bad_choice"),
    (re.compile(r"(?P<given>.*) is not in the range (?P<limits>.*?)\.?"), "cli.bad_range"),
    (
        re.compile(r"(?P<given>.*) is not a valid integer(?: range)?\.?", re.DOTALL),
        "cli.bad_integer",
    ),
    (re.compile(r"(?P<given>.*) is not a valid float(?: range)?\.?", re.DOTALL), "cli.bad_number"),
    (re.compile(r"\w+ (?P<given>'.*') does not exist\.?"), "cli.no_such_path"),
    (re.compile(r"\w+ (?P<given>'.*') is a file\.?"), "cli.path_is_file"),
    (re.compile(r"\w+ (?P<given>'.*') is a directory\.?"), "cli.path_is_folder"),
    (re.compile(r"\w+ (?P<given>'.*') is not readable\.?"), "cli.path_unreadable"),
)
# The same of the command line as a whole.
BAD_LINES = (
    (re.compile(r"Got unexpected extra arguments? \((?P<given>.*)\)", re.DOTALL), "cli.too_many"),
    (re.compile(r"Option '?(?P<name>[^']+)'? requires an argument\.?"), "cli.no_value"),
    (re.compile(r"Option '?(?P<name>[^']+)'? does not take a value\.?"), "cli.takes_no_value"),
    (re.compile(r"Missing command\.?"), "cli.no_verb"),
)


def choose_asked_language(arguments: Sequence[str]) -> None:
    """Put ``--lang`` in force before the line is parsed, for what is wrong with the line itself."""
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    for one, following in zip(options, [*options[1:], ""], strict=True):
        asked = following if one == "--lang" else one.removeprefix("--lang=")
        known: Language | None = "zh" if asked == "zh" else "en" if asked == "en" else None
        if known is not None and one != asked:
            choose_language(known)


def show_usage(usage: click.ClickException) -> None:
    """Print what was wrong with the command line on stderr, in the language in force."""
    if isinstance(usage, click.exceptions.NoArgsIsHelpError):
        usage.show()
        return
    if isinstance(usage, click.UsageError) and usage.ctx is not None:
        click.echo(_usage_line(usage.ctx), err=True)
        click.echo(say("cli.try_help", command=usage.ctx.command_path), err=True)
    click.echo(f"{say('cli.error')}{_worded(usage)}", err=True)


def _usage_line(ctx: click.Context) -> str:
    own = {ctx.command.options_metavar: say("cli.options")}
    if isinstance(ctx.command, click.Group):
        own[ctx.command.subcommand_metavar] = say("cli.verb_and_more")
    pieces = [own.get(piece, piece) for piece in ctx.command.collect_usage_pieces(ctx)]
    return say("cli.usage", command=ctx.command_path, pieces=" ".join(pieces))


def _worded(usage: click.ClickException) -> str:
    if isinstance(usage, click.NoSuchOption):
        hint = did_you_mean(usage.option_name, _options_of(usage.ctx))
        return say("cli.unknown_option", name=usage.option_name, hint=hint)
    if not isinstance(usage, click.BadParameter):
        return _matched(usage.message, BAD_LINES) or usage.format_message()
    name = _name_of(usage)
    if isinstance(usage, click.MissingParameter):
        return say("cli.missing_argument", name=name)
    kind = usage.param.type if usage.param else None
    known = listing(kind.choices) if isinstance(kind, click.Choice) else ""
    told = _matched(usage.message, BAD_VALUES, name=name, known=known)
    return told or say("cli.bad_value", name=name, detail=usage.message)


def _matched(
    message: str, kinds: Sequence[tuple[re.Pattern[str], str]], **facts: str
) -> str | None:
    for pattern, key in kinds:
        found = pattern.fullmatch(message)
        if found:
            return say(key, **facts, **found.groupdict())
    return None


def _name_of(usage: click.BadParameter) -> str:
    """The option or argument as it is typed: --users, DIR."""
    if usage.param is None:
        hint = usage.param_hint
        return hint if isinstance(hint, str) else " / ".join(hint or ())
    if isinstance(usage.param, click.Option):
        return " / ".join(usage.param.opts)
    return usage.param.human_readable_name.strip("[]")


def _options_of(ctx: click.Context | None) -> list[str]:
    """Every option that the verb has, as it is typed."""
    if ctx is None:
        return []
    return [
        name
        for one in ctx.command.get_params(ctx)
        for name in (*one.opts, *one.secondary_opts)
        if name.startswith("-")
    ]
