"""The block of doubt in a real browser: nothing cut, nothing overlapping, readable."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.test_report import COLLISIONS, FAINT_TEXT, PHONE, WIDE
from tagcf.views.page import render_report
from views.made_up import made_up_facts
from views.test_doubt import made_up_doubts

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_doubt_fits_and_can_be_read(
    chromium: Browser, tmp_path: Path, width: int, scheme: str, language: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(made_up_doubts(made_up_facts()), "en"), "utf-8")
    page = chromium.new_page(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page.goto(path.as_uri())
    page.click(f"[data-language={language}]")
    block = page.locator(f"#{language}-o1 .doubt")
    assert block.locator("details.doubted").count() == 3
    block.locator("details.doubted").evaluate_all("all => all.forEach(d => d.open = true)")
    assert block.locator("svg.bars:visible").count() == 6
    assert block.locator("svg.curve:visible").count() == 3
    assert page.evaluate(COLLISIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(FAINT_TEXT) == []
    page.close()
