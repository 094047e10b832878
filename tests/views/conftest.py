"""Languages for the tests of the views."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagcf.text import choose_language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Views speak English unless a test chooses otherwise."""
    choose_language("en")
    yield
    choose_language(None)
