"""The report in a real browser: one file, no network, both languages, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tagcf.views.page import render_report
from views.made_up import OUTCOMES, made_up_facts

pytestmark = pytest.mark.browser

HAN = re.compile(r"[\u3400-\u9fff]")
WIDE, PHONE = 1280, 390

# Contrast of every visible text with the nearest opaque background, below what WCAG AA asks for.
FAINT_TEXT = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c;
    canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const luminance = c => [0, 1, 2].map(k => c[k] / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.getClientRects().length || element.closest("script, style")) continue;
    const style = getComputedStyle(element);
    const inChart = element.closest("svg");
    const ink = luminance(rgb(inChart ? style.fill : style.color));
    const paper = luminance(ground(element));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) {
      faint.push(`${ratio.toFixed(2)} ${element.className.baseVal ?? element.className}: `
        + element.textContent.slice(0, 40));
    }
  }
  return faint;
}"""

# Texts of the visible charts that leave their picture or run into one another.
COLLISIONS = """() => {
  const found = [];
  for (const chart of document.querySelectorAll("svg.chart")) {
    if (!chart.getClientRects().length) continue;
    const frame = chart.getBoundingClientRect();
    const boxes = [...chart.querySelectorAll("text")].map(t => [t.textContent,
      t.getBoundingClientRect()]);
    for (const [name, box] of boxes) {
      if (box.left < frame.left - 2 || box.right > frame.right + 2) found.push(`cut: ${name}`);
    }
    for (let a = 0; a < boxes.length; a++) for (let b = a + 1; b < boxes.length; b++) {
      const [p, q] = [boxes[a][1], boxes[b][1]];
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 1 && high > 4) found.push(`overlap: ${boxes[a][0]} / ${boxes[b][0]}`);
    }
  }
  return found;
}"""


@dataclass
class Opened:
    """A page, and all that it asked the network for or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the made-up platform, opening in Chinese."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(made_up_facts(), "zh"), "utf-8")
    return path


@pytest.fixture
def opened(chromium: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open the report; indirect parameter: width, colour scheme, whether JavaScript runs."""
    width, scheme, script = getattr(request, "param", (WIDE, "light", True))
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    found = Opened(context.new_page())
    found.page.on("request", lambda asked: found.requests.append(asked.url))
    found.page.on("console", lambda line: found.complaints.append(line.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.goto(report.as_uri())
    yield found
    context.close()


def visible_text(page: Page, without: str = "") -> str:
    """Text that is seen, without what matches a selector."""
    return str(
        page.evaluate(
            """hidden => {
              const copy = [];
              const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walk.nextNode()) {
                const at = walk.currentNode.parentElement;
                if (at.closest("script, style") || !at.getClientRects().length) continue;
                if (hidden && at.closest(hidden)) continue;
                copy.push(walk.currentNode.data);
              }
              return copy.join("\\n");
            }""",
            without,
        )
    )


def test_nothing_is_fetched_and_nothing_complains(opened: Opened, report: Path) -> None:
    page = opened.page
    page.click("[data-language=en]")
    page.click("#en .tabs a:nth-child(3)")
    assert opened.requests == [report.as_uri()]
    assert opened.complaints == []


def test_the_language_switch_changes_everything(opened: Opened) -> None:
    page = opened.page
    assert page.get_attribute("html", "lang") == "zh"
    assert page.is_visible("#zh h1")
    assert not page.is_visible("#en h1")
    page.click("[data-language=en]")
    assert page.get_attribute("html", "lang") == "en"
    assert page.title() == "Made-up platform · Causal tag report"
    assert page.is_visible("#en h1")
    assert not page.is_visible("#zh h1")


def test_english_is_free_of_han_but_for_tag_names(opened: Opened) -> None:
    page = opened.page
    page.click("[data-language=en]")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    names = ".tag, .data, .languages, svg .other"
    seen = visible_text(page, without=names)
    assert "show no clear effect" in seen
    assert HAN.findall(seen) == []


def test_tabs_show_one_outcome_in_both_languages(opened: Opened) -> None:
    page = opened.page
    assert page.locator("#zh .tabs [role=tab]").count() == len(OUTCOMES)
    page.click("#zh .tabs a:nth-child(2)")
    assert page.locator("#zh .outcome:visible").count() == 1
    assert page.inner_text("#zh .outcome:visible h2") == "完播"
    page.click("[data-language=en]")
    assert page.inner_text("#en .outcome:visible h2") == "completion"
    page.focus("#en .tabs [aria-selected=true]")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#en .outcome:visible h2") == "watch time"
    assert page.evaluate("document.activeElement.textContent").strip() == "watch time"


def test_tables_sort_and_filter(opened: Opened) -> None:
    page = opened.page
    page.click("[data-language=en]")
    twin = page.locator("#en-o1 .forest details.twin")
    twin.locator("summary").click()
    twin.locator("thead button", has_text="Items").first.click()
    cells = twin.locator("tbody tr td:nth-of-type(10)").all_inner_texts()
    items = [int(cell.replace(",", "")) for cell in cells]
    assert items == sorted(items, reverse=True)
    assert twin.locator("th[aria-sort=descending]").count() == 1
    twin.locator("input").fill("nostalgic")
    assert twin.locator("tbody tr:visible th").all_inner_texts() == ["Nostalgic music · 怀旧音乐"]


def test_every_chart_is_described_and_has_a_table(opened: Opened) -> None:
    page = opened.page
    for language in ("zh", "en"):
        charts = page.locator(f"#{language} svg.chart")
        assert charts.count() > 20
        for label in charts.evaluate_all("all => all.map(c => c.getAttribute('aria-label'))"):
            assert len(label) > 30 or language == "zh"
            assert len(label) > 12
        orphans = page.evaluate(
            """language => [...document.querySelectorAll(`#${language} figure`)]
              .filter(f => !f.parentElement.querySelector("details.twin tbody tr")).length""",
            language,
        )
        assert orphans == 0


def test_the_table_holds_the_numbers_of_its_chart(opened: Opened) -> None:
    page = opened.page
    page.click("[data-language=en]")
    drawn = page.locator("#en-o1 .forest svg.wide g.row")
    table = page.locator("#en-o1 .forest table").evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(c => c.textContent))"
    )
    numbers = {row[0].split(" · ")[0]: f"{row[2]} {row[3]}" for row in table}
    assert drawn.count() == 30
    for row in drawn.all():
        texts = row.locator("text").all_text_contents()
        name = row.locator(".name").text_content()
        assert name is not None
        found = [n for full, n in numbers.items() if full.startswith(name.removesuffix("…"))]
        assert texts[2] in found


def test_every_section_says_that_it_is_simulated(opened: Opened) -> None:
    page = opened.page
    heads = page.locator("#zh .section-head")
    assert heads.count() > 10
    assert heads.locator(".simulated").count() == heads.count()


def test_real_data_is_not_called_simulated(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(made_up_facts(simulated=False), "en"), "utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    assert page.locator(".simulated, .simulated-long, .truth").count() == 0
    page.close()


@pytest.mark.parametrize(
    "opened",
    [(w, scheme, True) for w in (WIDE, PHONE) for scheme in ("light", "dark")],
    indirect=True,
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_fits_and_can_be_read(opened: Opened, language: str) -> None:
    page = opened.page
    page.click(f"[data-language={language}]")
    for outcome in range(1, len(OUTCOMES) + 1):
        page.click(f"#{language} .tabs a:nth-child({outcome})")
        assert page.evaluate(COLLISIONS) == []
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(FAINT_TEXT) == []


@pytest.mark.parametrize("opened", [(PHONE, "light", False)], indirect=True)
def test_everything_can_be_read_without_javascript(opened: Opened) -> None:
    page = opened.page
    assert page.locator(".outcome:visible").count() == 2 * len(OUTCOMES)
    assert page.locator(".headline:visible").count() == 2 * len(OUTCOMES)
    assert not page.is_visible(".filter >> nth=0")
    assert page.locator("details.twin summary").first.is_visible()


def test_paper_shows_every_outcome(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print")
    assert page.locator("#zh .outcome:visible").count() == len(OUTCOMES)
    assert page.locator(".tabs:visible, .languages:visible").count() == 0


def test_focus_can_be_seen(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_markup_in_names_stays_text(chromium: Browser, tmp_path: Path) -> None:
    facts = made_up_facts(title="<script>alert(1)</script>")
    names = {"tag-1": ("<b>甲</b>", "<img src=x onerror=alert(1)>")}
    page = chromium.new_page()
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    path = tmp_path / "report.html"
    path.write_text(render_report(made_up_facts(title=facts.title, tag_names=names), "en"), "utf-8")
    page.goto(path.as_uri())
    assert page.inner_text("#en h1") == "<script>alert(1)</script>"
    assert page.locator("main img, main b b").count() == 0
    assert alarms == []
    page.close()
