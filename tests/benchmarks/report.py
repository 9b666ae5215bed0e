"""Results as numbers, tables and a page."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from cases import COMPETITORS
from machine import sentence
from targets import targets

BEGIN, END = "<!-- measured: written by tests/benchmarks/run.py --report -->", "<!-- end of what was measured -->"
NAMES = {"ours": "ours", "trl": "TRL", "padded": "padded Trainer", "bare": "bare loop"}
Spread = list[float]
"""Least, median, most."""


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Each competitor's spread over the turns, and ours against each of the others, turn by turn."""
    made: dict[str, Any] = {"against": {}}
    turns = [{name: figures(run, found) for name, run in turn.items() if "steps" in run} for turn in found["runs"]]
    for name in found["runs"][0]:
        mine = [turn[name] for turn in turns if name in turn]
        if mine:
            made[name] = {what: spread([one[what] for one in mine]) for what in mine[0]}
        pairs = [(turn["ours"], turn[name]) for turn in turns if "ours" in turn and name in turn and name != "ours"]
        if pairs:
            made["against"][name] = {
                "speed": spread([theirs["seconds"] / ours["seconds"] for ours, theirs in pairs]),
                "memory": spread([o["peak"] / t["peak"] if o["peak"] and t["peak"] else None for o, t in pairs]),
            }
    return made


def figures(run: dict[str, Any], found: dict[str, Any]) -> dict[str, float | None]:
    """Seconds a step, tokens a second, MiB, seconds from the process's start to the first step."""
    seconds = sum(run["steps"]) / len(run["steps"])
    tokens = found["tokens_per_step"] / seconds
    return {"seconds": seconds, "tokens": tokens, "peak": run["peak_mib"], "first": run["first_step"]}


def spread(values: list[float | None]) -> Spread | None:
    """None where something was not measured."""
    known = [value for value in values if value is not None]
    return [min(known), statistics.median(known), max(known)] if len(known) == len(values) else None


def tables(found: dict[str, Any]) -> str:
    """All results as markdown."""
    parts = [sentence(found["machine"])]
    if found["cases"]:
        parts += [speed(found["cases"]), memory(found["cases"]), starts(found["cases"]), reached(found["cases"])]
    parts += [scaling(axis, points) for axis, points in found["scaling"].items()]
    parts += [f"### {name}\n\n```\n{one['printed'].strip()}\n```" for name, one in found["scripts"].items()]
    return "\n\n".join(parts)


def speed(cases: dict[str, Any]) -> str:
    """Useful tokens: those of the rows, every sequence counted whole and no padding, the same for everyone."""
    rows = []
    for name, one in cases.items():
        mine, against = one["summary"].get("ours"), one["summary"]["against"]
        if mine:
            ratios = [told(against[other]["speed"]) if other in against else "" for other in list(NAMES)[1:]]
            facts = [len(one["runs"]), f"{one['tokens_per_step']:,.0f}", f"{mine['tokens'][1]:,.0f}"]
            rows.append([name, *facts, f"{1000 * mine['seconds'][1]:,.0f}", *ratios])
    heads = ["case", "turns", "tokens a step", "tokens/s", "ms a step", "times TRL", "times padded", "of the bare loop"]
    return f"### Speed\n\nMedian (least to most) of the ratios, turn by turn.\n\n{table(heads, rows)}"


def memory(cases: dict[str, Any]) -> str:
    """The peak above the level before training, and ours as a share of each."""
    rows = []
    for name, one in cases.items():
        cells = []
        for other in NAMES:
            peak = one["summary"].get(other, {}).get("peak")
            ratio = one["summary"]["against"].get(other, {}).get("memory")
            cells.append((f"{peak[1]:,.0f}" if peak else "") + (f" ({ratio[1]:.2f})" if ratio else ""))
        rows.append([name, *cells])
    text = "Peak above the level before training, MiB (in brackets: ours as a share of it)."
    return f"### Memory\n\n{text}\n\n{table(['case', *NAMES.values()], rows)}"


def starts(cases: dict[str, Any]) -> str:
    """From the process's start to its first step."""
    rows = []
    for name, one in cases.items():
        firsts = [one["summary"].get(other, {}).get("first") for other in NAMES]
        rows.append([name, *(told(first, 1) if first else "" for first in firsts)])
    text = "Seconds from the process's start to its first step; the rows were tokenised before, for everyone."
    return f"### To the first step\n\n{text}\n\n{table(['case', *NAMES.values()], rows)}"


def reached(cases: dict[str, Any]) -> str:
    """The targets."""
    rows = [[one.what, one.goal, one.found, "yes" if one.reached else "**no**"] for one in targets(cases)]
    return f"### Targets\n\n{table(['what', 'goal', 'found', 'reached'], rows)}"


def scaling(axis: str, points: dict[str, Any]) -> str:
    """One swept number: tokens/s of each, and the peak."""
    rows = []
    for value, one in points.items():
        known = [one["summary"].get(name) for name in NAMES if name != "bare"]
        cells = [f"{k['tokens'][1]:,.0f}, {k['peak'][1]:,.0f}, {k['first'][1]:.1f}" if k else "killed" for k in known]
        rows.append([f"{int(value):,}", *cells])
    names = [name for key, name in NAMES.items() if key != "bare"]
    text = "Useful tokens/s, peak MiB, seconds to the first step (medians)."
    return f"### Cost against {axis}\n\n{text}\n\n{table([axis, *names], rows)}"


def told(found: Spread, digits: int = 2) -> str:
    """Median (least to most)."""
    least, median, most = (f"{value:.{digits}f}" for value in found)
    return f"{median} ({least} to {most})"


def table(heads: list[str], rows: list[list[Any]]) -> str:
    """Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write(found: dict[str, Any], page: Path) -> None:
    """Puts tables and plots between the two markers of a page; plots lie in a folder named like it."""
    from plots import draw

    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    shown = "\n".join(f"![{path.stem}]({page.stem}/{path.name})" for path in draw(found, page.with_suffix("")))
    who = "\n".join(f"- **{NAMES[name]}**: {what}" for name, what in COMPETITORS.items())
    page.write_text(f"{before}{BEGIN}\n\n{who}\n\n{tables(found)}\n\n{shown}\n\n{END}{after}", encoding="utf-8")
