"""Tables about ranking of docs/explanation/benchmarks.md: rankers, serving, scale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
CATALOGUES = ("ml-100k", "Beauty", "LastFM")
OURS = ("linear", "fused")
PEERS = ("popularity", "co-visitation", "item-knn", "ease-recency", "sasrec", "tagcf-paper-expl")
FORMS = ("as it fits", "sparse", "streamed", "co-visitation")
RULE = "|---" * 7 + "|"
OUTCOMES = ("completion", "like", "return_7d", "worth")
ASKED = {"known user": "a user of the log", "unknown history": "a history never seen"}


def parts() -> dict[str, str]:
    """Every table by the name of its markers."""
    return {
        "rankers": rankers_table(),
        "ranker pairs": pairs_table(),
        "rolling": rolling_table(),
        "spread": spread_table(),
        "cold": cold_table(),
        "arms": arms_table(),
        "serving": serving_table(),
        "linear scale": linear_scale_table(),
        "linear forms": linear_forms_table(),
        "index": index_table(),
    }


def _read(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def rankers_table() -> str:
    """NDCG@10 and seconds of every model on every catalogue."""
    rows: dict[str, dict[str, str]] = {}
    ranked = _read("ranking").get("catalogues", {})
    for name in CATALOGUES:
        for one in ranked.get(name, {}).get("models", []):
            cells = f"{one['ndcg@10']:.4f} | {one['train_cpu_s']:,.1f}, {one['search_cpu_s']:,.0f}"
            rows.setdefault(one["model"], {}).setdefault(name, cells)
    heads = "".join(f" {name}: NDCG@10 | CPU s, with search |" for name in CATALOGUES)
    lines = [f"| model |{heads}", RULE]
    for model, told in rows.items():
        cells = " | ".join(told.get(name, "– | –") for name in CATALOGUES)
        lines.append(f"| {model} | {cells} |")
    return "\n".join(lines)


def pairs_table() -> str:
    """What our models gain over each peer, the same users beside one another."""
    lines = [f"| gain in NDCG@10 | {' | '.join(CATALOGUES)} |", "|---" * 4 + "|"]
    for model in OURS:
        for peer in PEERS:
            cells = [_gain(_paired(name), model, peer) for name in CATALOGUES]
            if any(cell != "–" for cell in cells):
                lines.append(f"| {model} over {peer} | {' | '.join(cells)} |")
    return "\n".join(lines)


def rolling_table() -> str:
    """Five rolling hold-outs of ml-100k: means, and our gains over each peer."""
    found = _read("ranking").get("catalogues", {}).get("ml-100k", {}).get("rolling")
    if found is None:
        return ""
    heads = " | ".join(f"gain of {model}" for model in OURS)
    lines = [f"| model | mean NDCG@10 | {heads} |", "|---" * (2 + len(OURS)) + "|"]
    for model, mean in sorted(found["mean"].items(), key=lambda pair: -pair[1]):
        gains = " | ".join(_gain(found["paired"], ours, model) for ours in OURS)
        lines.append(f"| {model} | {mean:.4f} | {gains} |")
    return "\n".join(lines)


def _paired(name: str) -> list[dict[str, Any]]:
    paired: list[dict[str, Any]] = _read("ranking").get("catalogues", {})[name]["paired"]
    return paired


def _gain(paired: list[dict[str, Any]], model: str, against: str) -> str:
    for one in paired:
        if (one["model"], one["against"], one["metric"]) == (model, against, "ndcg@10"):
            return _interval([one["difference"], one["ci_low"], one["ci_high"]], 4)
    return "–"


def spread_table() -> str:
    """What lists gain in breadth where accuracy is kept, beside SASRec's."""
    lines = ["| catalogue | model | NDCG@10 | coverage@20 | Gini@10 |", "|---|---|---|---|---|"]
    ranked = _read("ranking").get("catalogues", {})
    for name, table in _read("coverage_gini").get("catalogues", {}).items():
        peers = [one for one in ranked.get(name, {}).get("models", []) if one["model"] == "sasrec"]
        kept = {part for base in table["bases"] for part in (base, f"{base}-tempered")}
        own = [one for one in table["models"] if one["model"] in kept]
        lines += [
            f"| {name} | {one['model']} | {one['ndcg@10']:.4f} | "
            f"{one['coverage@20']:.3f} | {one['gini@10']:.3f} |"
            for one in [*own, *peers]
        ]
    return "\n".join(lines)


def cold_table() -> str:
    """Items without any event, ranked among all such."""
    lines = [
        "| catalogue | through tags | tag-only neighbours | tag popularity | "
        "difference to neighbours | among all items: ours, neighbours |",
        "|---|---|---|---|---|---|",
    ]
    for name, table in _read("cold_items").get("catalogues", {}).items():
        told, every = table["among_cold"]["ndcg@10"], table["among_all"]["ndcg@10"]
        gain = next(
            one for one in table["among_cold"]["paired"] if one["against"] == "tag-neighbours"
        )
        lines.append(
            f"| {name} | {told['cold-items']:.3f} | {told['tag-neighbours']:.3f} | "
            f"{told['tag-popularity']:.3f} | {gain['mean']:+.3f} "
            f"[{gain['low']:+.3f}, {gain['high']:+.3f}] | "
            f"{every['cold-items']:.4f}, {every['tag-neighbours']:.4f} |"
        )
    return "\n".join(lines)


def arms_table() -> str:
    """True outcomes of lists by three arms of one ranker: of joint lists, then of lists for one."""
    joint = _arms("one list for all:", OUTCOMES, OUTCOMES)
    alone = tuple(f"{outcome} alone" for outcome in OUTCOMES[:-1])
    return joint + "\n\n" + _arms("a list for each:", OUTCOMES[:-1], alone)


def _arms(title: str, heads: tuple[str, ...], keys: tuple[str, ...]) -> str:
    lines = [
        f"| world | {title} causal against | " + " | ".join(heads) + " |",
        "|---" * (len(heads) + 2) + "|",
    ]
    for row in _read("arms").get("compared", []):
        if row["arm"] != "causal":
            continue
        for other in ("none", "naive"):
            told = [row.get(f"{key} minus {other}") for key in keys]
            cells = " | ".join("–" if one is None else _interval(one) for one in told)
            lines.append(f"| {row['world']} ({row['worlds']}) | {other} | {cells} |")
    return "\n".join(lines)


def _interval(found: list[float], digits: int = 3) -> str:
    return f"{found[0]:+.{digits}f} [{found[1]:+.{digits}f}, {found[2]:+.{digits}f}]"


def serving_table() -> str:
    """Milliseconds of a request, and of an event."""
    found = _read("serving")
    lines = [
        "| request | ranked by | CPU p50 | CPU p99 | wall p50 | wall p99 |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        (ASKED.get(one["request"], one["request"]), one["ranked_by"], one)
        for one in found.get("lists", [])
    ]
    if "updates" in found:
        rows.append(("one event taken in", "–", found["updates"]["event"]))
    for asked, ranked_by, one in rows:
        keys = ("cpu_p50_ms", "cpu_p99_ms", "wall_p50_ms", "wall_p99_ms")
        cells = " | ".join(f"{one[key]:.2f}" for key in keys)
        lines.append(f"| {asked} | {ranked_by} | {cells} |")
    return "\n".join(lines)


def linear_scale_table() -> str:
    """The linear model on a million items, by events."""
    lines = [
        "| events | settings chosen, CPU s | fitted, CPU s | peak memory | a user unlearnt, "
        "CPU s | 1,000 candidates: CPU p50, p99 | by scoring every item |",
        RULE,
    ]
    for one in _read("linear_scale").get("rows", []):
        peak = max(one["search_peak_mb"], one["fit_peak_mb"]) / 1000
        touched, every = (
            f"{one[kind]['cpu_p50_ms']:.2f}, {one[kind]['cpu_p99_ms']:.2f} ms"
            for kind in ("touched", "every_item")
        )
        lines.append(
            f"| {one['events']:,} | {one['search_cpu_s']:.0f} | {one['fit_cpu_s']:.0f} | "
            f"{peak:.1f} GB | {one['unlearn_cpu_s']:.1f} | {touched} | {every} |"
        )
    return "\n".join(lines)


def linear_forms_table() -> str:
    """NDCG@10 of the linear model by the form of its tables."""
    lines = [
        "| catalogue | as it fits | sparse | streamed | co-visitation | streamed minus sparse | "
        "streamed minus co-visitation |",
        RULE,
    ]
    for name, one in _read("linear_forms").get("catalogues", {}).items():
        values = [one["forms"][form]["ndcg@10"] for form in FORMS]
        gaps = [_interval(one["streamed minus"][other], 4) for other in ("sparse", "co-visitation")]
        lines.append(f"| {name} | {' | '.join(f'{v:.4f}' for v in values)} | {' | '.join(gaps)} |")
    return "\n".join(lines)


def index_table() -> str:
    """A transformer's candidates through an index, beside scoring every item."""
    lines = [
        "| items | index made, CPU s | lists searched | recall of the 1,000 best, of the 10 best | "
        "CPU p50, p99 | by scoring every item |",
        "|---|---|---|---|---|---|",
    ]
    for one in _read("item_index").get("rows", []):
        near, every = (
            f"{one[kind]['cpu_p50_ms']:.1f}, {one[kind]['cpu_p99_ms']:.1f} ms"
            for kind in ("index", "every_item")
        )
        lines.append(
            f"| {one['items']:,} | {one['made_cpu_s']:.0f} | "
            f"{one['lists_searched']:,} of {one['lists']:,} | {one['recall@1000']:.3f}, "
            f"{one['recall@10']:.3f} | {near} | {every} |"
        )
    return "\n".join(lines)
