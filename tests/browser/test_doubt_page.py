"""The block of doubt in a real browser: nothing cut, nothing overlapping, readable."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.test_report import COLLISIONS, FAINT_TEXT, PHONE, WIDE
from tagcf.views.page import render_report
from views.made_up import made_up_facts
from views.test_doubt import made_up_doubts

pytestmark = pytest.mark.browser

# The smallest text of the visible charts of doubt, in pixels of the screen.
SMALLEST = """() => Math.min(...[...document.querySelectorAll(".doubt svg.chart text")]
  .filter(text => text.getClientRects().length)
  .map(text => text.ownerSVGElement.getBoundingClientRect().width
    / text.ownerSVGElement.viewBox.baseVal.width * parseFloat(getComputedStyle(text).fontSize)))"""


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
    assert block.locator("details[open]").count() == 0, "numbers and pictures are folded"
    block.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
    assert block.locator("svg.bars:visible").count() == 6
    assert block.locator("svg.curve:visible").count() == 3
    assert page.evaluate(COLLISIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(FAINT_TEXT) == []
    assert page.evaluate(SMALLEST) >= 11
    page.close()


def test_the_contents_open_what_they_lead_to(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(made_up_doubts(made_up_facts()), "en"), "utf-8")
    page = chromium.new_page(viewport={"width": WIDE, "height": 900})
    page.goto(path.as_uri())
    block = page.locator("#en-o1 .doubt")
    block.locator(".contents a").nth(1).click()
    assert block.locator("details.doubted").first.get_attribute("open") is not None
    block.locator(".contents a").first.click()
    assert block.locator("details.checks table").is_visible()
    page.close()


def test_a_phone_shows_every_check_without_scrolling_sideways(
    chromium: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(made_up_doubts(made_up_facts()), "en"), "utf-8")
    page = chromium.new_page(viewport={"width": PHONE, "height": 900})
    page.goto(path.as_uri())
    checks = page.locator("#en-o1 .doubt details.checks")
    checks.evaluate("found => found.open = true")
    edges = checks.locator("tbody td").evaluate_all(
        "cells => cells.map(cell => cell.getBoundingClientRect().right)"
    )
    assert max(edges) <= PHONE
    assert len(edges) == 9 * checks.locator("tbody tr").count()
    page.close()
