"""``tagcf simulate``: a platform with known tag effects, written as a workspace."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.data.simulate import Platform, World, write_world
from tagcf.data.simulate import simulate as make_world
from tagcf.data.simulate.exposure import DAY, START
from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live
from tagcf.data.simulate.sector import SECTORS, SectorName
from tagcf.errors import OutputError, SettingsError
from tagcf.settings import FILE_NAME, load_settings
from tagcf.text import say

LIVE_FILES = (
    "events.parquet",
    "segments.parquet",
    "products.csv",
    "social.csv",
    "truth_live.parquet",
)


@click.command("simulate")
@folder_argument
@click.option("--sector", type=click.Choice(SECTORS), default="video", show_default=True)
@click.option("--users", type=click.IntRange(12), default=2_000, show_default=True)
@click.option("--items", type=click.IntRange(16), default=1_000, show_default=True)
@click.option("--tags", type=click.IntRange(4), default=32, show_default=True)
@click.option("--days", type=click.IntRange(1), default=28, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--live", is_flag=True, help="add live rooms: events, segments, truth_live.parquet")
@click.option("--force", is_flag=True, help="replace a simulated workspace")
@json_option
@lang_option
def simulate(
    *,
    folder: Path,
    sector: SectorName,
    users: int,
    items: int,
    tags: int,
    days: int,
    seed: int,
    live: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a simulated platform with KNOWN tag effects to DIR."""
    make_room(folder, force)
    world = make_world(
        Platform(sector=sector, users=users, items=items, tags=tags, days=days, seed=seed)
    )
    files = write_world(world, folder)
    clear_live(folder)
    click.echo(
        say(
            "simulate.done",
            folder=folder,
            rows=f"{world.log.n_rows:,}",
            users=f"{users:,}",
            items=f"{items:,}",
            tags=tags,
            null=len(world.null_tags),
            random=f"{world.shown.randomized.mean():.0%}",
        ),
        err=True,
    )
    for path in files:
        what = say("simulate." + path.name.replace(".", "_"))
        click.echo(f"  {path}  {what}", err=True)
    summary = _summary(world, files)
    if live:
        summary["live"] = _add_live(world, folder)
    click.echo(say("simulate.next", folder=folder), err=True)
    if as_json:
        echo_json(summary)


def clear_live(folder: Path) -> None:
    """Take away the live files of an earlier world."""
    for name in LIVE_FILES:
        (folder / name).unlink(missing_ok=True)


def _add_live(world: World, folder: Path) -> dict[str, object]:
    """Simulate live rooms for the same users and tags, after the last impression, and say so."""
    settings = world.settings
    made = simulate_live(
        LivePlatform(
            sector=settings.sector,
            users=settings.users,
            tags=settings.tags,
            seed=settings.seed,
            start=START + DAY * settings.days,
        )
    )
    files = write_live(made, folder)
    facts = {
        "events": made.events.num_rows,
        "rooms": made.settings.rooms,
        "segments": made.segments.height,
        "highlights": made.truth.filter(kind="highlight").height,
        "switches": made.truth.filter(kind="switch").height,
        "purchases": made.truth.filter(kind="purchase").height,
    }
    shown = {name: f"{count:,}" for name, count in facts.items()}
    click.echo(say("simulate.live_done", **shown), err=True)
    for path in files:
        if path.name in LIVE_FILES:
            what = say("simulate." + path.name.replace(".", "_"))
            click.echo(f"  {path}  {what}", err=True)
    return {"simulated": True, **facts, "files": [str(path) for path in files]}


def make_room(folder: Path, force: bool) -> None:
    """Refuse a folder that holds anything, unless forced; never replace real data."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not force:
        raise OutputError("simulate.not_empty", folder=folder)
    if not _is_simulated(folder):
        raise OutputError("simulate.not_simulated", folder=folder)
    shutil.rmtree(folder / "out", ignore_errors=True)  # answers about the world replaced


def _is_simulated(folder: Path) -> bool:
    if not (folder / FILE_NAME).is_file():
        return False
    try:
        return load_settings(folder).data.simulated
    except SettingsError:
        return False


def _summary(world: World, files: tuple[Path, ...]) -> dict[str, object]:
    settings = world.settings
    return {
        "simulated": True,
        "sector": settings.sector,
        "seed": settings.seed,
        "rows": world.log.n_rows,
        "random_rows": int(world.shown.randomized.sum()),
        "users": settings.users,
        "items": settings.items,
        "tags": settings.tags,
        "null_tags": list(world.null_tags),
        "outcomes": list(world.sector.outcomes),
        "files": [str(path) for path in files],
    }
