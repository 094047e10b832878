"""Write the generated parts of the documentation again, or check that they are up to date.

``python docs/generate.py`` writes; ``--check`` prints what is out of date and exits 1;
``--run`` also runs the demo and README's Python lines for their real output (a minute), and
takes the picture of the report (needs /usr/bin/chromium); ``--test-log FILE`` puts the end of
a passing ``make test 2>&1 | tee FILE`` into the READMEs.

| part | made from |
|---|---|
| docs/reference/settings.md | the settings model and the text catalogue |
| docs/reference/verbs.md, help | ``--help`` of every verb |
| docs/reference/vocabulary.md | the vocabulary |
| docs/reference/roles.md | the role vocabulary |
| docs/reference/effects-json.md, reasons | the text catalogue |
| README, upworthy and coverage | benchmarks/results/upworthy.json, coverage.json |
| docs/explanation/benchmarks.md | benchmarks/results/ of peers, upworthy_halves, tagging … |
| docs/how-to/roles-and-tree.md | benchmarks/results/ of logic, mined_tags and role_scale |
| docs/explanation/danmaku.md | benchmarks/results/ of danmaku, danmaku_learn, danmaku_real |
| docs/explanation/live-dynamics.md | benchmarks/results/ of drift, next_interest and two more |
| docs/explanation/viewing.md | benchmarks/results/ of viewing_path, resonance and companion |
| README, python and demo (``--run``) | README's Python lines, ``tagcf demo`` |
| README, test (``--test-log``) | the output of ``make test`` |
| docs/images/report.png (``--run``) | the report of that demo |
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import benchmark_tables
import click
import danmaku_tables
import dynamics_tables
import host_tables
import live_tables
import role_tables
import viewing_tables
from pydantic import BaseModel

from tagcf.cli import VERBS, tagcf
from tagcf.data.settings_file import describe_setting
from tagcf.settings import OutcomeSettings, Settings
from tagcf.tags.reference import vocabulary_page
from tagcf.tags.roles.reference import roles_page
from tagcf.tags.roles.vocabulary import all_roles
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.text import Language, catalogue, choose_language

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
READMES: dict[Language, Path] = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
RESULTS = ROOT / "benchmarks" / "results"
WIDTH = 88


def main() -> int:
    """Write or check; returns the exit code."""
    options = argparse.ArgumentParser(description="generated parts of the documentation")
    options.add_argument("--check", action="store_true")
    options.add_argument("--run", action="store_true")
    options.add_argument("--test-log", type=Path)
    chosen = options.parse_args()
    pages = dict(generated())
    if chosen.run:
        pages = dict(with_outputs(pages))
    if chosen.test_log:
        shown = end_of_tests(chosen.test_log.read_text("utf-8"))
        pages |= {path: put(pages[path], "test", shown) for path in READMES.values()}
    stale = [path for path, text in pages.items() if text != _old(path)]
    for path in stale:
        if chosen.check:
            old, new = _old(path).splitlines(), pages[path].splitlines()
            name = str(path.relative_to(ROOT))
            sys.stdout.write("\n".join(difflib.unified_diff(old, new, name, "generated")) + "\n")
        else:
            path.write_text(pages[path], "utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 1 if chosen.check and stale else 0


def generated() -> Iterator[tuple[Path, str]]:
    """Every page with its parts made again, apart from those that need a run."""
    yield REFERENCE / "settings.md", settings_page()
    verbs = REFERENCE / "verbs.md"
    yield verbs, put(verbs.read_text("utf-8"), "help", help_of_verbs())
    effects = REFERENCE / "effects-json.md"
    yield effects, put(effects.read_text("utf-8"), "reasons", reasons())
    yield REFERENCE / "vocabulary.md", vocabulary_page(default_vocabulary())
    yield REFERENCE / "roles.md", roles_page(all_roles())
    roles = ROOT / "docs" / "how-to" / "roles-and-tree.md"
    yield roles, role_tables.fill(roles.read_text("utf-8"), put)
    danmaku = ROOT / "docs" / "explanation" / "danmaku.md"
    yield danmaku, danmaku_tables.fill(danmaku.read_text("utf-8"), put)
    dynamics = ROOT / "docs" / "explanation" / "live-dynamics.md"
    yield dynamics, dynamics_tables.fill(dynamics.read_text("utf-8"), put)
    hosts = ROOT / "docs" / "explanation" / "hosts.md"
    yield hosts, host_tables.fill(hosts.read_text("utf-8"), put)
    state = ROOT / "docs" / "explanation" / "live-state.md"
    yield state, live_tables.fill(state.read_text("utf-8"), put)
    viewing = ROOT / "docs" / "explanation" / "viewing.md"
    yield viewing, viewing_tables.fill(viewing.read_text("utf-8"), put)
    measured = ROOT / "docs" / "explanation" / "benchmarks.md"
    yield measured, benchmark_tables.fill(measured.read_text("utf-8"), put)
    for language, path in READMES.items():
        page = put(path.read_text("utf-8"), "upworthy", upworthy_table(language))
        page = put(page, "coverage", coverage_table(language))
        yield path, put(page, "peers", peers_table(language))


def put(page: str, name: str, part: str) -> str:
    """Put a part between its markers."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    head, rest = page.split(begin)
    return head + begin + part.rstrip() + "\n" + end + rest.split(end, 1)[1]


# ── settings ────────────────────────────────────────────────────────────────
def settings_page() -> str:
    """Every setting with its default and its meaning in both languages."""
    lines = [
        "# Settings",
        "",
        "`tagcf.toml`, in the order of the file. This page is generated: `make docs`.",
        "`tagcf settings DIR` shows the values in force and where each came from. Precedence:",
        "command line, then environment (`TAGCF_DATA__TIMEZONE=Asia/Shanghai`), then",
        "`tagcf.toml`, then the default. An unknown key is an error.",
    ]
    plain: list[tuple[str, Any]] = []
    for name, field in Settings.model_fields.items():
        section = field.get_default(call_default_factory=True)
        if name == "outcomes":
            rows = [(key, one.get_default()) for key, one in OutcomeSettings.model_fields.items()]
            lines += _section("[outcomes.NAME]", "outcomes", rows)
        elif isinstance(section, BaseModel):
            rows = [(key, getattr(section, key)) for key in type(section).model_fields]
            lines += _section(f"[{name}]", name, rows)
        else:
            plain.append((name, section))
    return "\n".join(lines + _section("Above all sections", "", plain)) + "\n"


def _section(title: str, section: str, rows: list[tuple[str, Any]]) -> list[str]:
    lines = ["", f"## {title}", "", "| key | default | meaning | 意思 |", "|---|---|---|---|"]
    for key, value in rows:
        name = f"{section}.{key}" if section else key
        written = "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
        means = [_in(language, name).replace("|", "\\|") for language in ("en", "zh")]
        lines.append(f"| `{key}` | {written} | {means[0]} | {means[1]} |")
    return lines


def _in(language: Language, name: str) -> str:
    choose_language(language)
    try:
        return describe_setting(name)
    finally:
        choose_language(None)


def reasons() -> str:
    """Every sentence that can follow "cannot tell"."""
    said = {key: entry for key, entry in catalogue().items() if key.startswith("reason.")}
    return "\n".join(f"- {re.sub(r'{[a-z_]+}', '…', said[key]['en'])}" for key in sorted(said))


# ── verbs ───────────────────────────────────────────────────────────────────
def help_of_verbs() -> str:
    """``--help`` of the program and of every verb."""
    parts = [f"```text\n{_help()}```"]
    parts += [f"### {verb}\n\n```text\n{_help(verb)}```" for verb in VERBS]
    return "\n\n".join(parts)


def _help(*verb: str) -> str:
    context = click.Context(tagcf, info_name="tagcf", terminal_width=WIDTH)
    command: click.Command = tagcf
    for name in verb:
        found = tagcf.get_command(context, name)
        assert found is not None
        command = found
        context = click.Context(command, info_name=name, parent=context)
    return command.get_help(context).rstrip() + "\n"


# ── figures ─────────────────────────────────────────────────────────────────
NAMES = {
    "question mark": "问号",
    "number": "数字",
    "you / your": "you / your（你）",
    "she / her / woman": "she / her / woman（她）",
}
COLUMNS = ("naive", "alone", "joint", "joint, image fixed")
HEADS: dict[Language, str] = {
    "en": "| the headline has | naive | one tag at a time | all tags jointly "
    "| jointly, same image | verdict |",
    "zh": "| 标题里有 | 粗略对比 | 逐个标签 | 所有标签一起 | 一起，且配图相同 | 结论 |",
}
VERDICTS = {"raises": "提升", "lowers": "降低", "no clear effect": "没有明显效应"}


def upworthy_table(language: Language) -> str:
    """Effects in clicks per 1,000 impressions, from the committed result."""
    result = json.loads((RESULTS / "upworthy.json").read_text("utf-8"))
    lines = [HEADS[language], "|---|---|---|---|---|---|"]
    for row in result["rows"]:
        cells = [_per_thousand(row[column]) for column in COLUMNS]
        name, verdict = row["tag"], row["joint"]["verdict"]
        if language == "zh":
            name, verdict = NAMES[name], VERDICTS[verdict]
        lines.append(f"| {name} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines)


def _per_thousand(cell: dict[str, Any]) -> str:
    value, (low, high) = 1000 * cell["estimate"], (1000 * end for end in cell["ci"])
    written = f"{value:+.2f} [{low:+.2f}, {high:+.2f}]".replace("-0.00", "0.00")
    return written.replace("-", "\N{MINUS SIGN}")


METHODS: dict[str, dict[Language, str]] = {
    "joint": {"en": "**TagCF, joint**", "zh": "**TagCF 联合估计**"},
    "robust": {"en": "TagCF, doubly robust", "zh": "TagCF 双重稳健"},
    "matching": {"en": "TagCF, matching", "zh": "TagCF 匹配"},
    "yardstick": {
        "en": "least squares, two-way clustered sandwich",
        "zh": "最小二乘，双向聚类标准误",
    },
    "iid": {"en": "least squares, independent rows", "zh": "最小二乘，各行独立"},
    "naive": {"en": "naive difference", "zh": "粗略对比"},
}
COVERAGE_HEADS: dict[Language, str] = {
    "en": "| method | truth in the 95% interval | the same, hardest worlds | false claims, worst |",
    "zh": "| 方法 | 95% 区间包含真值 | 最难的平台 | 误报比例（最差） |",
}


def coverage_table(language: Language) -> str:
    """Worst outcome of the five logged ones: plain worlds, and the worst of all kinds."""
    result = json.loads((RESULTS / "coverage.json").read_text("utf-8"))
    rows = [row for row in result["rows"] if row["outcome"] != "return_7d"]
    lines = [COVERAGE_HEADS[language], "|---|---|---|---|"]
    for method, names in METHODS.items():
        own = [row for row in rows if row["name"] == method]
        plain = min(row["coverage"] for row in own if row["worlds"] == "plain")
        worst = min(row["coverage"] for row in own)
        false = max(row["false_claims"] for row in own)
        lines.append(f"| {names[language]} | {plain:.1%} | {worst:.1%} | {false:.1%} |")
    return "\n".join(lines)


PEERS: dict[str, dict[Language, str]] = {
    "pyfixest / joint, plain, 1 outcome each": {
        "en": "pyfixest, all tags jointly",
        "zh": "pyfixest，所有标签一起",
    },
    "econml, 300 tags (extrapolated) / joint, plain, 1 outcome each": {
        "en": "econml LinearDML, tag by tag*",
        "zh": "econml LinearDML，逐个标签*",
    },
    "doubleml, 300 tags (extrapolated) / joint, plain, 1 outcome each": {
        "en": "DoubleML PLR, tag by tag*",
        "zh": "DoubleML PLR，逐个标签*",
    },
    "dowhy / matching, per tag and outcome": {
        "en": "dowhy propensity matching, per tag and outcome",
        "zh": "dowhy 倾向得分匹配，每个标签与结果",
    },
    "linearmodels / two-stage, the same answers": {
        "en": "linearmodels, two-stage with 10 tags",
        "zh": "linearmodels，10 个标签的两阶段最小二乘",
    },
}
PEERS_HEADS: dict[Language, str] = {
    "en": "| the same answers from | CPU time, times ours |",
    "zh": "| 同样的答案，换用 | CPU 时间是我们的几倍 |",
}


def peers_table(language: Language) -> str:
    """How many times our CPU time others take."""
    ratios = json.loads((RESULTS / "peers.json").read_text("utf-8"))["ratios"]
    rows = [f"| {names[language]} | {ratios[key]:,.0f} |" for key, names in PEERS.items()]
    return "\n".join([PEERS_HEADS[language], "|---|---|", *rows])


# ── what has to be run ──────────────────────────────────────────────────────
def with_outputs(pages: dict[Path, str]) -> Iterator[tuple[Path, str]]:
    """Put real outputs into the READMEs; takes the picture on the way."""
    yield from pages.items()
    lines = python_lines(pages[READMES["en"]])
    with tempfile.TemporaryDirectory() as folder:
        output = _run([sys.executable, "-c", lines], folder, "en")
        for language, path in READMES.items():
            program = Path(sys.executable).with_name("tagcf")
            told = _run([str(program), "demo", "--lang", language], folder, language)
            told = told.replace(str(program), ".venv/bin/tagcf")
            page = put(pages[path], "demo", f"```text\n$ make demo\n{told}```")
            python = f"```python\n{lines}```\n\n```text\n{output}```"
            yield path, put(page, "python", python)
            if language == "en":
                _picture(Path(folder) / "demo" / "out" / "report.html")


def end_of_tests(log: str) -> str:
    """What a passing ``make test`` said, its dots left out."""
    kept = (
        r"All checks passed!",
        r"\d+ files already formatted",
        r"Success: .*",
        r"Contracts: .*",
        r"=+ \d+ passed.* =+",
    )
    lines = [line for line in log.splitlines() if any(re.fullmatch(one, line) for one in kept)]
    if len(lines) != len(kept):
        sys.exit("this log is not that of a passing make test")
    shown = "\n".join(line.strip("= ") for line in lines)
    return f"```text\n$ make test\n{shown}\n```"


def python_lines(page: str) -> str:
    """README's Python lines."""
    found = re.search(r"<!-- begin: python -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def _run(command: list[str], folder: str, language: Language) -> str:
    environment = os.environ | {"TAGCF_LANG": language, "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def _picture(report: Path) -> None:
    """Take the top of the report as people see it first."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1180, "height": 1850})
        page.goto(report.as_uri())
        shot = page.screenshot()
        browser.close()
    target = ROOT / "docs" / "images" / "report.png"
    target.parent.mkdir(exist_ok=True)
    Image.open(BytesIO(shot)).quantize(128).save(target, optimize=True)


def _old(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
