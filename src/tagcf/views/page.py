"""The report as one HTML file: both languages, no network."""

from __future__ import annotations

import re
from contextvars import copy_context
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from tagcf.text import LINES, Language, choose_language, say, visible
from tagcf.views.doubt_picture import Bars, Curve
from tagcf.views.draw_doubt import PHONE, draw_bars, draw_curve
from tagcf.views.draw_plane import draw_plane
from tagcf.views.draw_rows import NARROW, WIDE, draw_rows
from tagcf.views.facts import ReportFacts
from tagcf.views.picture import Key, RowChart
from tagcf.views.report import report_view
from tagcf.views.svg import element, line, marker

HALF = 440.0  # width of a picture that shares its line with another

# A Chinese line may not end between a number and its measure word: "3 个".
_HAN_AFTER_NUMBER = re.compile(r"\d [\u4e00-\u9fff]")


def render_report(facts: ReportFacts, first: Language) -> str:
    """Return the HTML of the report; `first` is the language that it opens in."""
    order: list[Language] = ["en", "zh"] if first == "en" else ["zh", "en"]
    pages = [(language, _in_language(language, facts)) for language in order]
    template = page_environment().get_template("report.html.j2")
    page = template.render(
        first=first,
        title=facts.title,
        pages=pages,
    )
    return visible(page, keep=LINES)


def _in_language(language: Language, facts: ReportFacts) -> Markup:
    """Build and render one language in a context of its own."""
    return copy_context().run(partial(_one_page, language, facts))


def _one_page(language: Language, facts: ReportFacts) -> Markup:
    choose_language(language)
    body = page_environment().get_template("page.html.j2").render(report=report_view(facts))
    return Markup(unbroken(body))  # noqa: S704 - autoescaped


def unbroken(body: str) -> str:
    """Keep Chinese measure words on the line of their number."""
    return _HAN_AFTER_NUMBER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), body)


def page_environment() -> Environment:
    """Templates, with what they draw by."""
    environment = Environment(
        loader=PackageLoader("tagcf.views"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "say": say,
        "draw_rows": draw_both,
        "draw_plane": draw_plane,
        "draw_bars": draw_bars_both,
        "draw_curve": draw_curve_both,
        "draw_key": draw_key,
    }
    environment.filters["code"] = with_code
    return environment


def draw_both(chart: RowChart) -> Markup:
    """Draw a chart for wide pages and for phones; the style sheet shows one of them."""
    return draw_rows(chart, WIDE) + draw_rows(chart, NARROW)


def draw_curve_both(curve: Curve) -> Markup:
    """Draw a specification curve for wide pages and for phones."""
    return draw_curve(curve, WIDE.width) + draw_curve(curve, PHONE)


def draw_bars_both(bars: Bars) -> Markup:
    """Draw a distribution for wide pages and for phones."""
    return draw_bars(bars, HALF) + draw_bars(bars, PHONE)


def with_code(written: str) -> Markup:
    """Set what stands between backticks as code; everything is escaped."""
    parts = [escape(part) for part in written.split("`")]
    return Markup().join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def draw_key(key: Key) -> Markup:
    """Draw the sample of a legend entry."""
    sample = line(1, 8, 21, 8, f"{key.stroke} {key.tone}") if key.stroke else ""
    sample += marker(key.shape, 11, 8, key.tone) if key.shape else ""
    body = element("svg", sample, viewBox="0 0 22 16", class_="key", aria_hidden="true")
    return Markup(body)  # noqa: S704 - `element` escapes attributes, and there is no text
