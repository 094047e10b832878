"""What the settings ask for, found in the files: which column of which table plays which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tagcf.data.files import Table, open_table
from tagcf.data.times import CLOCK_LEVELS, check_zone
from tagcf.errors import DataError
from tagcf.settings import OutcomeSettings, Settings
from tagcf.text import did_you_mean, listing
from tagcf.types import Outcome

# "clock": derived from the time; "user", "item": the ids themselves.
Origin = Literal["impressions", "items", "users", "clock", "user", "item"]


@dataclass(frozen=True, slots=True)
class Part:
    """A column in one of its parts: as covariate, segment, cluster axis."""

    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a workspace that a log is made of."""

    impressions: Table
    items: Table | None
    users: Table | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Every column that the log needs, resolved against the files."""

    user: str | None
    item: str
    time: str | None
    weight: str | None
    outcomes: tuple[Outcome, ...]
    derived: tuple[Outcome, ...]
    covariates: tuple[Part, ...]
    segments: tuple[Part, ...]
    clusters: tuple[Part, ...]
    instruments: tuple[tuple[Part, tuple[str, ...]], ...]
    stratum: Part | None
    randomized: str | None
    propensity: str | None
    author: str | None
    zone: str

    def impression_columns(self) -> list[str]:
        """Columns of impressions.* that must be read, each once."""
        parts = [*self.covariates, *self.segments, *self.clusters]
        parts += [part for part, _ in self.instruments]
        parts += [self.stratum] if self.stratum else []
        names = [self.user, self.item, self.time, self.weight, self.randomized, self.propensity]
        names += [name for one in self.outcomes for name in (one.column, one.trials)]
        names += [part.name for part in parts if part.origin == "impressions"]
        return list(dict.fromkeys(name for name in names if name))

    def attribute_columns(self, origin: Literal["items", "users"]) -> list[str]:
        """Columns of items.* (users.*) that describe an item (user), each once."""
        parts = [*self.covariates, *self.segments, *self.clusters]
        parts += [part for part, _ in self.instruments]
        parts += [self.stratum] if self.stratum else []
        names = [part.name for part in parts if part.origin == origin]
        if origin == "items" and self.author:
            names.append(self.author)
        return list(dict.fromkeys(names))


def open_tables(root: Path, settings: Settings) -> Tables:
    """Open the tables of a workspace and read their headers.

    Raises
    ------
    DataError
        There is no impressions table, or a file cannot be read.
    """
    encoding = settings.data.encoding
    impressions = open_table(root, "impressions", encoding)
    if impressions is None:
        raise DataError("data.no_impressions", path=root)
    return Tables(
        impressions, open_table(root, "items", encoding), open_table(root, "users", encoding)
    )


def make_plan(settings: Settings, tables: Tables) -> Plan:
    """Resolve every configured column.

    Raises
    ------
    DataError
        A column is in none of the files where it may be; names the file and near names.
    """
    log, design = tables.impressions, settings.design
    user, time = _user(settings, log), _time(settings, log)
    author = _author(settings, tables)
    stratum = _find(design.stratum, tables, "design.stratum") if design.stratum else None
    item = log.require(settings.data.item, "data.item")
    if tables.items:
        tables.items.require(item, "data.item")
    if tables.users and user:
        tables.users.require(user, "data.user")
    axes = design.cluster or _default_axes(user, author or item, stratum)
    known = _known_axes(user, item, author, stratum)
    return Plan(
        user=user,
        item=item,
        time=time,
        weight=_optional(log, settings.data.weight, "data.weight"),
        outcomes=_logged(settings, log),
        derived=_derived(settings, user, time, log),
        covariates=tuple(_covariate(name, tables, time) for name in design.covariates),
        segments=tuple(
            _find(name, tables, "design.segments", ("users", "impressions"))
            for name in design.segments
        ),
        clusters=tuple(known.get(name) or _find(name, tables, "design.cluster") for name in axes),
        instruments=tuple(
            (_find(name, tables, "design.instruments", ("impressions", "users")), tuple(tags))
            for name, tags in design.instruments.items()
        ),
        stratum=stratum,
        randomized=_optional(log, design.randomized, "design.randomized"),
        propensity=_optional(log, design.propensity, "design.propensity"),
        author=author,
        zone=check_zone(settings.data.timezone),
    )


def _user(settings: Settings, log: Table) -> str | None:
    """Column of the user; ``data.user = ""`` says that the log knows no users."""
    return log.require(settings.data.user, "data.user") if settings.data.user else None


def _time(settings: Settings, log: Table) -> str | None:
    """Column of the time; only a name that was written down on purpose must exist."""
    name = settings.data.time
    if name and "time" in settings.data.model_fields_set:
        return log.require(name, "data.time")
    return name if name in log.columns else None


def _author(settings: Settings, tables: Tables) -> str | None:
    name = settings.design.author
    if name is None:
        return None
    if tables.items is None:
        raise DataError("data.no_items_for", setting="design.author", column=name)
    return tables.items.require(name, "design.author")


def _optional(log: Table, name: str | None, setting: str) -> str | None:
    return log.require(name, setting) if name else None


def _find(
    name: str,
    tables: Tables,
    setting: str,
    order: Sequence[Literal["impressions", "items", "users"]] = ("impressions", "items", "users"),
) -> Part:
    """Look a column up in the tables, in this order."""
    known: list[str] = []
    files: list[str] = []
    for origin in order:
        table: Table | None = getattr(tables, origin)
        if table is None:
            continue
        if name in table.columns:
            return Part(name, origin)
        known += table.columns
        files.append(table.file)
    raise DataError(
        "data.missing_column",
        column=name,
        path=listing(files),
        setting=setting,
        hint=did_you_mean(name, dict.fromkeys(known)),
        known=listing(dict.fromkeys(known[:20])),
    )


def _covariate(name: str, tables: Tables, time: str | None) -> Part:
    """Find a control; hour and weekday come from the time where no column has the name."""
    present = any(
        name in table.columns
        for table in (tables.impressions, tables.items, tables.users)
        if table is not None
    )
    if name in CLOCK_LEVELS and not present:
        if time is None:
            raise DataError(
                "data.time_needed", what=f"design.covariates: {name}", path=tables.impressions.path
            )
        return Part(name, "clock")
    return _find(name, tables, "design.covariates")


def _default_axes(user: str | None, maker: str, stratum: Part | None) -> list[str]:
    """List the stratum alone, else user and author (item where no author is set)."""
    if stratum is not None:
        return [stratum.name]
    return [user, maker] if user else [maker]


def _known_axes(
    user: str | None, item: str, author: str | None, stratum: Part | None
) -> dict[str, Part]:
    """Columns to cluster on that play a part already; user_id and item_id name theirs always."""
    known = {name: Part(name, "item") for name in ("item_id", item)}
    if user:
        known |= {name: Part(name, "user") for name in ("user_id", user)}
    if author:
        known[author] = Part(author, "items")
    return known | ({stratum.name: stratum} if stratum else {})


def _logged(settings: Settings, log: Table) -> tuple[Outcome, ...]:
    """Outcomes that are columns of the log."""
    if not settings.outcomes:
        raise DataError("data.no_outcomes", path=log.path)
    return tuple(
        Outcome(
            name,
            one.kind,
            log.require(one.column, f"outcomes.{name}.column"),
            _optional(log, one.trials, f"outcomes.{name}.trials"),
        )
        for name, one in settings.outcomes.items()
        if one.column is not None
    )


def _derived(
    settings: Settings, user: str | None, time: str | None, log: Table
) -> tuple[Outcome, ...]:
    """Outcomes that are computed from users and times."""
    wanted = {name: one for name, one in settings.outcomes.items() if one.derive is not None}
    for name in wanted:
        if time is None:
            raise DataError("data.time_needed", what=f"outcomes.{name}", path=log.path)
        if user is None:
            raise DataError("data.user_needed", what=f"outcomes.{name}", path=log.path)
    return tuple(_derived_outcome(name, one) for name, one in wanted.items())


def _derived_outcome(name: str, one: OutcomeSettings) -> Outcome:
    return Outcome(
        name,
        "binary",
        derive=one.derive,
        days=one.days,
        period_days=int(one.period.removesuffix("d")),
    )
