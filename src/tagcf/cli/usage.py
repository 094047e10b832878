"""Wrong usage in Chinese: click speaks English alone."""

from __future__ import annotations

import click

from tagcf.text import did_you_mean, language, listing, say


def show_usage(usage: click.ClickException) -> None:
    """Print what was wrong with the command line on stderr, in the language in force."""
    if language() != "zh" or not isinstance(usage, click.UsageError):
        usage.show()
        return
    if usage.ctx is not None:
        click.echo(usage.ctx.get_usage(), err=True)
        click.echo(say("cli.try_help", command=usage.ctx.command_path), err=True)
    click.echo(f"{say('cli.error')}{_worded(usage)}", err=True)


def _worded(usage: click.UsageError) -> str:
    if isinstance(usage, click.NoSuchOption):
        hint = did_you_mean(usage.option_name, usage.possibilities or ())
        return say("cli.unknown_option", name=usage.option_name, hint=hint)
    if not isinstance(usage, click.BadParameter) or usage.param is None:
        return usage.format_message()
    name = usage.param.get_error_hint(usage.ctx) if usage.ctx else str(usage.param.name)
    if isinstance(usage, click.MissingParameter):
        return say("cli.missing_argument", name=name)
    kind = usage.param.type
    given, found, _ = usage.message.partition(" is not one of ")
    if isinstance(kind, click.Choice) and found:
        return say("cli.bad_choice", name=name, given=given, known=listing(kind.choices))
    given, _, limits = usage.message.rstrip(".").partition(" is not in the range ")
    if limits:
        return say("cli.bad_range", name=name, given=given, limits=limits)
    return say("cli.bad_value", name=name, detail=usage.message)
