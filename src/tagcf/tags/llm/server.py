"""Which server and model, from the settings; the key from the environment, never from a file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tagcf.errors import SettingsError
from tagcf.settings import LLMSettings
from tagcf.tags.llm.account import Prices


@dataclass(frozen=True, slots=True)
class Server:
    """A model on a server that speaks ``/v1/chat/completions``."""

    base_url: str  # up to and including /v1
    model: str
    key: str | None = field(default=None, repr=False)
    key_name: str = ""  # environment variable that the key comes from
    concurrency: int = 4
    requests_per_minute: float | None = None
    timeout_s: float = 120.0
    max_tokens: int = 1024
    retries: int = 4
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)

    @property
    def source(self) -> str:
        """Name of the origin that tags carry."""
        return f"llm:{self.model}"


def server_of(settings: LLMSettings) -> Server:
    """Take the server from the section ``[llm]`` of tagcf.toml.

    Raises
    ------
    SettingsError
        Address or model is not set, the address is none, or the variable that is to hold the
        key is empty.
    """
    base_url, model = (settings.base_url or "").strip(), (settings.model or "").strip()
    if not base_url or not model:
        missing = [name for name, one in (("base_url", base_url), ("model", model)) if not one]
        raise SettingsError("llm.not_set", missing=", ".join(missing))
    key = None
    if settings.api_key_env:
        key = os.environ.get(settings.api_key_env, "").strip()
        if not key or not key.isascii():
            raise SettingsError("llm.no_key", variable=settings.api_key_env)
    return Server(
        base_url=full_address(base_url),
        model=model,
        key=key,
        key_name=settings.api_key_env or "",
        concurrency=settings.concurrency,
        requests_per_minute=settings.requests_per_minute,
        timeout_s=settings.timeout_s,
        max_tokens=settings.max_tokens,
        retries=settings.retries,
        extra_body=settings.extra_body,
        prices=Prices(settings.price_in, settings.price_out),
    )


def full_address(base_url: str) -> str:
    """Complete an address: without a path ``/v1`` is meant; the verb's own path is cut off.

    Raises
    ------
    SettingsError
        It is no http address, or it carries a name, a password or a query: keys belong in
        the environment.
    """
    plain = base_url.strip().rstrip("/").removesuffix("/chat/completions")
    try:
        parts = urlsplit(plain)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise SettingsError("llm.bad_address", value=_without_secrets(plain)) from None
    wrong = parts.username or parts.password or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or wrong or not port_is_right:
        raise SettingsError("llm.bad_address", value=_without_secrets(plain))
    return plain if parts.path else f"{plain}/v1"


def _without_secrets(address: str) -> str:
    """Cut out of an address what may be a key: name and password, query, fragment."""
    named = re.sub(r"^([A-Za-z]+://)?.*@", r"\1…@", address, flags=re.DOTALL)
    return re.sub(r"[?#].*", "?…", named, flags=re.DOTALL)
