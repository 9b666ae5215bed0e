"""Results as pictures, by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

NAMES = {"ours": "ours", "trl": "TRL", "trl_best": "TRL at its best", "padded": "padded Trainer", "bare": "bare loop"}
COLOURS = {"ours": "#1b6ca8", "trl": "#d1603d", "trl_best": "#8c2f1b", "padded": "#e0a33e", "bare": "#8a8a8a"}
LABELS = {"tokens": "useful tokens/s", "peak": "peak memory, MiB", "first": "start to first step, s"}


def draw(found: dict[str, Any], folder: Path) -> list[Path]:
    """One picture of all cases and one of each sweep."""
    folder.mkdir(exist_ok=True)
    made = [cases(found[what], folder / f"{what}.png") for what in ("cases", "gpu") if found.get(what)]
    return made + [sweep(axis, points, folder / f"{axis}.png") for axis, points in found["scaling"].items()]


def cases(found: dict[str, Any], path: Path) -> Path:
    """Speed and memory of each competitor as a share of the padded Trainer's; bars show the median."""
    names = [name for name in NAMES if any(name in one["summary"] for one in found.values())]
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.9 + 0.55 * len(found)), sharey=True, layout="constrained")
    for axis, what, title in zip(axes, ("tokens", "peak"), ("speed", "peak memory")):
        for place, name in enumerate(names):
            shares = [share(one["summary"], name, what) for one in found.values()]
            axis.barh(
                [row + 0.16 * place for row in range(len(found))], shares, 0.15, color=COLOURS[name], label=NAMES[name]
            )
        axis.set_title(f"{title}, padded Trainer = 1")
        axis.axvline(1, color="black", linewidth=0.5)
    axes[0].set_yticks([row + 0.3 for row in range(len(found))], list(found))
    axes[0].invert_yaxis()
    axes[1].legend()
    return saved(figure, path)


def share(summary: dict[str, Any], name: str, what: str) -> float:
    """A competitor's median over the padded Trainer's; nan where one of both is missing."""
    mine, padded = (summary.get(one, {}).get(what) for one in (name, "padded"))
    return float("nan") if not mine or not padded else float(mine[1] / padded[1])


def sweep(axis: str, points: dict[str, Any], path: Path) -> Path:
    """Lines with the spread as a band."""
    wanted = ("tokens", "first" if axis == "rows" else "peak")
    figure, plots = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for plot, what in zip(plots, wanted):
        for name in NAMES:
            known = {int(value): one["summary"][name][what] for value, one in points.items() if name in one["summary"]}
            known = {value: found for value, found in known.items() if found}
            if known:
                least, median, most = zip(*known.values())
                plot.plot(list(known), median, "o-", color=COLOURS[name], label=NAMES[name])
                plot.fill_between(list(known), least, most, color=COLOURS[name], alpha=0.2, linewidth=0)
        plot.set(xscale="log", yscale="log", xlabel=axis, ylabel=LABELS[what])
        plot.grid(alpha=0.3, which="both")
    plots[0].legend()
    return saved(figure, path)


def saved(figure: Any, path: Path) -> Path:
    """As PNG."""
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
