"""``tagcf report``: one HTML file that says which tags cause what, and how sure that is."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.tags_changed import say_tags_changed
from tagcf.data.workspace import open_workspace, write_text
from tagcf.text import language, say
from tagcf.views.facts import OutcomeFacts, ReportFacts, outcome_facts
from tagcf.views.gather import gather_report
from tagcf.views.page import render_report
from tagcf.views.sentences import verdict


@click.command(epilog="tagcf report DIR   |   tagcf report DIR --lang zh --output report.html")
@folder_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="where to write (default: DIR/out/report.html)",
)
@json_option
@lang_option
def report(*, folder: Path, output: Path | None, as_json: bool) -> None:
    """Write the report of DIR as one HTML file and print its path."""
    workspace = open_workspace(folder)
    target = output or workspace.out / "report.html"
    facts = gather_report(workspace, shlex.quote(str(folder)))
    say_tags_changed(workspace, facts.effects)
    write_text(target, render_report(facts, language()))
    if as_json:
        echo_json(_summary(target, facts), indent=1)
        return
    for outcome in outcome_facts(facts):
        click.echo(verdict(outcome).headline, err=True)
    if facts.simulated:
        click.echo(say("report.simulated_long"), err=True)
    click.echo(target)


def _summary(target: Path, facts: ReportFacts) -> dict[str, object]:
    return {
        "path": str(target),
        "title": facts.title,
        "simulated": facts.simulated,
        "outcomes": [_one(outcome) for outcome in outcome_facts(facts)],
        "what_ifs": [answer.item for answer in facts.what_ifs],
    }


def _one(outcome: OutcomeFacts) -> dict[str, object]:
    def tags(kind: str) -> list[str]:
        return [effect.tag for effect in outcome.with_verdict(kind)]

    return {
        "outcome": outcome.name,
        "method": outcome.method,
        "rung": outcome.rung,
        "raises": tags("raises"),
        "lowers": tags("lowers"),
        "no clear effect": tags("no clear effect"),
        "cannot tell": tags("cannot tell"),
        "verdict": verdict(outcome).sentence.replace("\N{NO-BREAK SPACE}", " "),
    }
