"""Results as numbers, tables and a page."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from cases import COMPETITORS, SWEPT
from machine import sentence
from targets import targets

BEGIN, END = "<!-- measured: written by tests/benchmarks/run.py --report -->", "<!-- end of what was measured -->"
BEGIN_GPU, END_GPU = "<!-- measured on a GPU, likewise -->", "<!-- end of what was measured on a GPU -->"
NAMES = {"ours": "ours", "trl": "TRL", "trl_best": "TRL at its best", "padded": "padded Trainer", "bare": "bare loop"}
RATIOS = {"trl": "times TRL", "trl_best": "times TRL's best", "padded": "times padded", "bare": "of the bare loop"}
PHASES = ("data", "forward", "backward", "optimizer", "other")
Spread = list[float]
"""Least, median, most."""


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Each competitor's spread over the turns, and ours against each of the others, turn by turn."""
    made: dict[str, Any] = {"against": {}}
    turns = [{name: run for name, run in turn.items() if "steps" in run} for turn in found["runs"]]
    for name in found["runs"][0]:
        mine = [figures(turn[name], found) for turn in turns if name in turn]
        if mine:
            made[name] = {what: spread([one[what] for one in mine]) for what in mine[0]}
        pairs = [(turn["ours"], turn[name]) for turn in turns if "ours" in turn and name in turn and name != "ours"]
        if pairs:
            peaks = [(ours["peak_mib"], theirs["peak_mib"]) for ours, theirs in pairs]
            made["against"][name] = {
                "speed": spread([faster(ours, theirs) for ours, theirs in pairs]),
                "memory": spread([ours / theirs if ours and theirs else None for ours, theirs in peaks]),
            }
    return made


def faster(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """How many times as fast in a turn: the median over its steps, each on the same rows, so that a hiccup of the machine
    in one of them is none of the result."""
    return statistics.median(their / our for our, their in zip(ours["steps"], theirs["steps"], strict=True))


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
        parts += [part(found["cases"]) for part in (speed, memory, starts, failures)]
        parts.append(reached(found["cases"], found["scripts"]))
    if found.get("gpu"):
        parts += [speed(found["gpu"]), bounds(found["gpu"]), memory(found["gpu"]), failures(found["gpu"])]
    if found.get("options"):
        parts.append(options(found["options"]))
    if found.get("correct"):
        parts.append(correct(found["correct"]))
    parts += [scaling(axis, points) for axis, points in found["scaling"].items()]
    known = {"char_gpt": characters, "tokenise": tokenising}
    parts += [known.get(name, printed)(one) for name, one in found["scripts"].items()]
    return "\n\n".join(filter(None, parts))


def speed(cases: dict[str, Any]) -> str:
    """Useful tokens: those of the rows, every sequence counted whole and no padding, the same for everyone."""
    rows = []
    for name, one in cases.items():
        mine, against = one["summary"].get("ours"), one["summary"]["against"]
        if mine:
            ratios = [told(against[other]["speed"]) if other in against else "" for other in shown(cases)[1:]]
            facts = [len(one["runs"]), f"{one['tokens_per_step']:,.0f}", f"{mine['tokens'][1]:,.0f}"]
            rows.append([name, *facts, f"{1000 * mine['seconds'][1]:,.0f}", *ratios])
    heads = ["case", "turns", "tokens a step", "tokens/s", "ms a step", *(RATIOS[name] for name in shown(cases)[1:])]
    text = "Median (least to most) of the turns' ratios; that of a turn is the median over its steps."
    return f"### Speed\n\n{text}\n\n{table(heads, rows)}"


def memory(cases: dict[str, Any]) -> str:
    """The peak above the level before training, and ours as a share of each."""
    rows = []
    for name, one in cases.items():
        cells = []
        for other in shown(cases):
            peak = one["summary"].get(other, {}).get("peak")
            ratio = one["summary"]["against"].get(other, {}).get("memory")
            cells.append((f"{peak[1]:,.0f}" if peak else "") + (f" ({ratio[1]:.2f})" if ratio else ""))
        rows.append([name, *cells])
    text = "Peak above the level before training, MiB (in brackets: ours as a share of it)."
    return f"### Memory\n\n{text}\n\n{table(['case', *(NAMES[name] for name in shown(cases))], rows)}"


def bounds(cases: dict[str, Any]) -> str:
    """What ours reaches of the speed of matrix products, and which phase takes the time."""
    rows = []
    for name, one in cases.items():
        found = [run["ours"]["shares"] for run in one["runs"] if run.get("ours", {}).get("shares")]
        phases = [phase for phase in (found[0] if found else {}) if phase.startswith("time_")]
        shares = [f"{statistics.median(run[phase] for run in found):.0%}" for phase in phases]
        rows += [[name, f"{statistics.median(run.get('mfu', 0) for run in found):.1%}", *shares]] if found else []
    text = (
        "Of ours: FLOPs that the useful tokens need over those of a large product of matrices, and shares of the time."
    )
    return f"### What bounds it\n\n{text}\n\n{table(['case', 'MFU', *PHASES], rows)}"


def failures(cases: dict[str, Any]) -> str:
    """Who did not get through, and why."""
    runs = [(name, who, one) for name, case in cases.items() for run in case["runs"] for who, one in run.items()]
    lines = [f"- {name}, {NAMES[who]}: {failure(one)}" for name, who, one in runs if failure(one)]
    return "\n".join(dict.fromkeys(lines))


def failure(run: dict[str, Any]) -> str:
    """Why a run has no numbers; nothing where it has."""
    return f"killed by signal {run['killed']}" if "killed" in run else str(run.get("failed", ""))


def options(found: dict[str, Any]) -> str:
    """One option of training changed: tokens/s and memory as a share of the default's, where that was measured."""
    rows, (run,) = [], found["runs"]
    measured = {name: figures(one, found) for name, one in run.items() if not failure(one)}
    usual = measured.get("option:default", {"tokens": None, "peak": None})
    for name, one in run.items():
        if name not in measured:
            rows.append([name.removeprefix("option:"), failure(one), "", "", ""])
            continue
        mine = measured[name]
        parts = [f"{mine[what] / usual[what]:.2f}" if mine[what] and usual[what] else "" for what in ("tokens", "peak")]
        facts = f"{mine['tokens']:,.0f}", parts[0], f"{mine['peak'] or 0:,.0f}", parts[1]
        rows.append([name.removeprefix("option:"), *facts])
    heads = ["option", "tokens/s", "of the default's", "peak MiB", "of the default's"]
    return f"### Options\n\nPretraining, one turn each.\n\n{table(heads, rows)}"


def correct(lines: list[dict[str, Any]]) -> str:
    """Errors of packed attention, and what is allowed."""
    rows = []
    for one in lines:
        cells = [f"{error:.1g} of {limit:.1g}" for error, limit in zip(one["errors"], one["limits"])] or ["", ""]
        told = one.get("failed") or ("yes" if one["right"] else "**no**")
        rows.append([*(one[fact] for fact in ("model", "precision", "kernel")), *cells, told])
    heads = ["model", "precision", "kernel", "loss", "gradients", "right"]
    return f"### Packed against padded attention\n\nRelative errors, of those allowed.\n\n{table(heads, rows)}"


def shown(cases: dict[str, Any]) -> list[str]:
    """The competitors that took part in any."""
    return [name for name in NAMES if any(name in run for one in cases.values() for run in one["runs"])]


def starts(cases: dict[str, Any]) -> str:
    """From the process's start to its first step."""
    rows = []
    for name, one in cases.items():
        firsts = [one["summary"].get(other, {}).get("first") for other in shown(cases)]
        rows.append([name, *(told(first, 1) if first else "" for first in firsts)])
    text = "Seconds from the process's start to its first step; the rows were tokenised before, for everyone."
    return f"### To the first step\n\n{text}\n\n{table(['case', *(NAMES[name] for name in shown(cases))], rows)}"


def characters(found: dict[str, Any]) -> str:
    """Models of characters: each run, and when its loss was 1.88."""
    rows = []
    for one in found["results"]:
        facts = [one["side"], one["steps"], one["held_out"], one["seconds"], one["ms_per_step"]]
        rows.append([*facts, "{:,} steps, {:.0f} s".format(*one["reached"]) if one["reached"] else "never"])
    text = "Held-out loss over the whole last tenth, seconds of the whole process, and the first evaluation at 1.88 or less."
    return f"### Characters\n\n{text}\n\n{table(['run', 'steps', 'loss', 'seconds', 'ms a step', '1.88 after'], rows)}"


def tokenising(found: dict[str, Any]) -> str:
    """Preparing plain text beside the calls of `tokenizers` alone."""
    one = json.loads(found["printed"])["text"]
    calls = ("encode_batch", "encode_batch_fast", "prepare", "prepared before")
    rows = [
        [call, one[call]["seconds"], one[call]["cpu"], *(told(ratio[part]) for part in ("seconds", "cpu"))]
        if (ratio := one.get(f"prepare / {call}"))
        else [call, one[call]["seconds"], one[call]["cpu"], "", ""]
        for call in calls
    ]
    text = f"{one['megabytes']} MB of plain text in {one['rows']:,} rows; the speed of preparing them, as a share of each call's."
    heads = ["call", "seconds", "CPU seconds", "share by seconds", "share by CPU seconds"]
    return f"### Tokenising\n\n{text}\n\n{table(heads, rows)}"


def printed(found: dict[str, Any]) -> str:
    """What a script printed."""
    return f"```\n{found['printed'].strip()}\n```"


def reached(cases: dict[str, Any], scripts: dict[str, Any]) -> str:
    """The targets."""
    rows = [[one.what, one.goal, one.found, "yes" if one.reached else "**no**"] for one in targets(cases, scripts)]
    return f"### Targets\n\n{table(['what', 'goal', 'found', 'reached'], rows)}"


def scaling(axis: str, points: dict[str, Any]) -> str:
    """One swept number: tokens/s of each, and the peak."""
    rows = []
    names = [name for name in shown(points) if name in SWEPT]
    for value, one in points.items():
        known = [one["summary"].get(name) for name in names]
        cells = [f"{k['tokens'][1]:,.0f}, {k['peak'][1]:,.0f}, {k['first'][1]:.1f}" if k else "killed" for k in known]
        rows.append([f"{int(value):,}", *cells])
    text = "Useful tokens/s, peak MiB, seconds to the first step (medians)."
    return f"### Cost against {axis}\n\n{text}\n\n{table([axis, *(NAMES[name] for name in names)], rows)}"


def told(found: Spread, digits: int = 2) -> str:
    """Median (least to most)."""
    least, median, most = (f"{value:.{digits}f}" for value in found)
    return f"{median} ({least} to {most})"


def table(heads: list[str], rows: list[list[Any]]) -> str:
    """Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write(found: dict[str, Any], page: Path) -> None:
    """Puts tables and plots between two markers of a page, those of a GPU apart; plots lie in a folder named like it."""
    from plots import draw

    begin, end = (BEGIN_GPU, END_GPU) if found["machine"].get("gpu") else (BEGIN, END)
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    pictures = "\n".join(f"![{path.stem}]({page.stem}/{path.name})" for path in draw(found, page.with_suffix("")))
    took_part = shown({**found["cases"], **found.get("gpu", {})})
    who = "\n".join(f"- **{NAMES[name]}**: {COMPETITORS[name]}" for name in took_part)
    parts = "\n\n".join(filter(None, [who, tables(found), pictures]))
    page.write_text(f"{before}{begin}\n\n{parts}\n\n{end}{after}", encoding="utf-8")
