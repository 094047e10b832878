"""One model is tagcf.toml, the TAGCF_* variables and the defaults. Unknown keys are errors.

Precedence: command line, then variables (``TAGCF_SEED``, ``TAGCF_SECTION__KEY``), then
``tagcf.toml``, then defaults.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tagcf.errors import SettingsError
from tagcf.text import did_you_mean
from tagcf.text.setting_faults import setting_name, told

FILE_NAME = "tagcf.toml"
# Variables that speak to the command and its tests, not to a workspace.
NO_SETTINGS = {
    *("TAGCF_LANG", "TAGCF_DEBUG", "TAGCF_RECTOOLS"),
    *("TAGCF_SHARED", "TAGCF_REQUIRE_SHARED", "TAGCF_REQUIRE_BROWSER", "TAGCF_REQUIRE_MEDIA"),
    "TAGCF_REQUIRE_RECTOOLS",
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OutcomeSettings(_Section):
    """A behaviour worth causing."""

    column: str | None = Field(None, description="column of impressions.*")
    kind: Literal["binary", "rate", "real", "count"] = Field(
        "binary", description="binary 0/1, rate 0..1, real, or count (whole numbers from 0)"
    )
    trials: str | None = Field(
        None, description="column with the number of trials that `column` counts successes of"
    )
    derive: Literal["return"] | None = Field(
        None, description='"return": seen again within `days` after the period ends'
    )
    days: Annotated[int, Field(gt=0)] = Field(7, description="days within which a return counts")
    period: Annotated[str, Field(pattern=r"^[1-9]\d*d$")] = Field(
        "7d", description="length of the user's period"
    )

    @model_validator(mode="after")
    def _column_or_derived(self) -> OutcomeSettings:
        if (self.column is None) == (self.derive is None):
            msg = "an outcome needs either `column` or `derive`"
            raise ValueError(msg)
        return self


class DataSettings(_Section):
    """How the files are read."""

    user: str = Field("user_id", description="column with the user id")
    item: str = Field("item_id", description="column with the item id")
    time: str = Field("ts", description="column with the time (ISO 8601 or epoch seconds)")
    weight: str | None = Field(None, description="column: impressions that a row stands for")
    timezone: str = Field(
        "UTC", description="zone of times that name none, and of the derived hour"
    )
    encoding: str = Field("auto", description="auto, utf-8, gb18030, latin-1 …")
    simulated: bool = Field(False, description="true: every page and answer says so")
    title: str | None = Field(None, description="name of the platform on the report")


class DesignSettings(_Section):
    """What makes the comparison fair."""

    stratum: str | None = Field(None, description="units were randomised within it (fixed effects)")
    randomized: str | None = Field(None, description="column: 1 where exposure was random")
    propensity: str | None = Field(None, description="column: logged exposure probability")
    author: str | None = Field(None, description="column of items.*: author effects and clustering")
    covariates: list[str] = Field([], description="columns of impressions.*, items.* or users.*")
    exact: list[str] = Field([], description="covariates matched exactly (in bins) by matching")
    cluster: list[str] = Field(
        [], description="errors are clustered on these; default user and author (item if none)"
    )
    segments: list[str] = Field([], description="columns that split the audience")
    instruments: dict[str, list[str]] = Field(
        {}, description="randomly assigned column -> the tags whose exposure it moves"
    )
    observational_bias: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        {}, description="outcome -> sd of unseen bias that observational intervals allow for"
    )


class ContentSettings(_Section):
    """What a tagger may read."""

    text: list[str] = Field([], description="columns of items.*")
    media: str | None = Field(None, description="column of items.* with a file path")
    media_root: str | None = Field(
        None, description="folder that these paths are in; default the workspace"
    )


class TagSettings(_Section):
    """Which tags, and how they are used as treatments."""

    control_for: Literal["all"] | list[str] = Field("all", description="tags held fixed")
    graph: str | None = Field(None, description="YAML file of parent / causes edges")
    threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="an item carries a tag from this strength on"
    )
    min_items: Annotated[int, Field(ge=2)] = Field(
        50, description="tags on fewer items get the verdict: cannot tell"
    )
    facets: list[str] = Field([], description="only tags of these facets are estimated; empty: all")
    surface: bool = Field(False, description="add surface tags of headlines (question, number …)")


Protected = Literal["health", "religion", "sexuality", "politics", "minors"]


def _all_or_none(value: object) -> object:
    """Take true for every protected attribute and false for none."""
    return (list(get_args(Protected)) if value else []) if isinstance(value, bool) else value


Share = Annotated[float, Field(ge=0, le=1)]


class RoleSettings(_Section):
    """Whom content speaks to."""

    protected: Annotated[list[Protected], BeforeValidator(_all_or_none)] = Field(
        [], description="roles that touch these attributes are on; true: all, false: none"
    )
    min_events: Annotated[int, Field(ge=1)] = Field(
        10, description="users with fewer engagements get no roles: cannot tell"
    )
    outcome: str | None = Field(
        None, description="outcome that is an engagement; default the first"
    )
    positive: float | None = Field(
        None, description="engaged from this value on; default 1, and 0.5 for rates"
    )


class TreeSettings(_Section):
    """How strength is shared along the tag tree. Off by default; see docs/how-to/roles-and-tree."""

    share_up: Share = Field(0.0, description="how much of a child's strength its parent gets")
    share_down: Share = Field(0.0, description="how far a parent supports a child seen weakly")
    mine_share: Share = Field(
        0.5, description="share of the content whose behaviour may propose changes; 0: none"
    )


class RecommendSettings(_Section):
    """What is recommended, and by which behaviour."""

    positive: str | None = Field(
        None, description="outcome that makes an impression part of a history; default the first"
    )
    positive_from: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        None, description="positive from this value on; default 1, and 0.5 for rates"
    )
    utility: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(
        {}, description="outcome -> what one unit of it is worth; empty: the next choice alone"
    )
    explore: Share = Field(
        0.02, description="share of the places of a list that is drawn at random, its chance logged"
    )
    model: Literal["linear", "transformer", "fused"] = Field(
        "linear", description="what `tagcf train` trains: linear, transformer, or both fused"
    )
    candidates: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1000, description="items that the model hands on to be ranked"
    )
    diversity: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="what being a copy of an item above costs, in standard deviations"
    )
    reach: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        0.0,
        description="NDCG@10 that lists reaching further into the catalogue may cost; 0: none",
    )
    steer: str | None = Field(None, description="TOML or JSON file of steering rules")


class LLMSettings(_Section):
    """A language model on any OpenAI-compatible server, for ``tagcf tag --using llm``."""

    base_url: str | None = Field(None, description="address of the server, up to /v1")
    model: str | None = Field(None, description="name of the model on that server")
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        None, description="environment variable that holds the key; never the key itself"
    )
    concurrency: Annotated[int, Field(ge=1, le=256)] = Field(
        4, description="requests under way at once"
    )
    requests_per_minute: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="limit of the service; empty: none"
    )
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        120.0, description="seconds to wait for an answer"
    )
    retries: Annotated[int, Field(ge=0, le=20)] = Field(
        4, description="times that a request is sent again at most"
    )
    max_tokens: Annotated[int, Field(ge=64)] = Field(1024, description="longest answer, in tokens")
    frames: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="pictures of each video that are sent; 0: none leave this machine"
    )
    extra_body: dict[str, Any] = Field(
        {}, description="more fields of each request, such as chat_template_kwargs"
    )
    price_in: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="price of a million tokens sent"
    )
    price_out: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="price of a million tokens answered"
    )


Minutes = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LiveSettings(_Section):
    """Interests that follow live events."""

    half_lives_minutes: list[Minutes] = Field(
        [30.0, 10_080.0, 129_600.0],
        description="minutes after which an event counts half: now, these days, for long",
    )
    scenes: bool = Field(True, description="keep what users like in each scene beside what they do")
    users_at_most: Annotated[int, Field(ge=1)] = Field(
        1_000_000, description="users that there is room for; memory is taken as they come"
    )
    remembered: Annotated[int, Field(ge=0, le=1024)] = Field(
        32, description="events of each user kept to explain interests by"
    )


class Settings(_Section):
    """The whole of tagcf.toml."""

    outcomes: dict[str, OutcomeSettings] = Field({}, description="the behaviours worth causing")
    data: DataSettings = DataSettings()
    design: DesignSettings = DesignSettings()
    content: ContentSettings = ContentSettings()
    tags: TagSettings = TagSettings()
    tree: TreeSettings = TreeSettings()
    roles: RoleSettings = RoleSettings()
    recommend: RecommendSettings = RecommendSettings()
    llm: LLMSettings = LLMSettings()
    live: LiveSettings = LiveSettings()
    language: Literal["zh", "en"] | None = Field(
        None, description="language of messages and report"
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="seed of everything random")


def load_settings(folder: Path) -> Settings:
    """Read ``tagcf.toml`` of a workspace, with TAGCF_* variables laid over it.

    Raises
    ------
    SettingsError
        No folder, no tagcf.toml, invalid TOML, an unknown key (with a suggestion) or wrong value.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        key = "error.no_workspace" if folder.is_dir() else "error.no_folder"
        raise SettingsError(key, path=folder)
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise SettingsError("error.bad_toml", path=path, detail=broken) from broken
    return parse_settings(_with_environment(values), where=str(path))


def parse_settings(values: dict[str, Any], where: str = FILE_NAME) -> Settings:
    """Validate a nested dict as `Settings`; errors name the key and the nearest known one."""
    try:
        return Settings.model_validate(values)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        facts = {"path": where, "name": setting_name(first)}
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(str(first["loc"][-1]), _known_keys(first["loc"]))
            raise SettingsError("error.unknown_setting", **facts, hint=hint) from None
        raise SettingsError("error.bad_setting", **facts, detail=told(wrong.errors())) from None


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """Names that would have been allowed where the unknown key stands."""
    model: type[BaseModel] = Settings
    if loc[0] == "outcomes" and len(loc) > 2:
        return list(OutcomeSettings.model_fields)
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return []
        model = field.annotation
    return list(model.model_fields)


def _with_environment(values: dict[str, Any]) -> dict[str, Any]:
    """Lay ``TAGCF_SECTION__KEY`` over the file's values; values are read as TOML, else as text."""
    merged = {key: dict(part) if isinstance(part, dict) else part for key, part in values.items()}
    for variable, raw in os.environ.items():
        if not variable.startswith("TAGCF_") or variable in NO_SETTINGS:
            continue
        section, _, key = variable.removeprefix("TAGCF_").partition("__")
        try:
            value: Any = tomllib.loads(f"value = {raw}")["value"]
        except tomllib.TOMLDecodeError:
            value = raw
        *path, last = [step for step in (section.lower(), *key.lower().split("__")) if step]
        part = merged
        for step in path:
            part = part.setdefault(step, {})
        part[last] = value
    return merged
