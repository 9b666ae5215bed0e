"""What an evaluation looks like in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolrecipes.evaluation import Evaluation

SHOWN = 5
"""Rows on which two models differ that are printed; `eval --out` keeps all."""
WIDE = 8
"""Classes that a table of who is taken for whom has at the most; `eval --json` has all."""


def figures(one: Evaluation, other: Evaluation | None, gap: Any, models: tuple[str, str]) -> dict[str, Any]:
    """The same to be read by programs."""
    found: dict[str, Any] = {"evaluator": one.evaluator.name, "options": repr(one.evaluator), "rows": len(one.origins)}
    found |= {"model": models[0], "numbers": one.numbers, "intervals": one.intervals()}
    found |= {"confusion": told} if (told := confusion(one)) else {}
    if other is None:
        return found
    beside = {"model": models[1], "numbers": other.numbers, "difference": gap.numbers, "intervals": gap.intervals}
    return {**found, "against": beside}


def confusion(one: Evaluation) -> dict[str, dict[str, int]]:
    """Who is taken for whom, of an evaluator that tells classes apart."""
    from smolrecipes.evaluators.classify import Classify

    return one.evaluator.confusion(one.scores) if isinstance(one.evaluator, Classify) else {}


def table(one: Evaluation, other: Evaluation | None, gap: Any) -> None:
    """Numbers with their intervals, who is taken for whom, and the rows on which two models differ."""
    from rich.table import Table

    from smolrecipes.console import console

    counted = f", {len(one.origins):,} of {one.of:,} rows" if one.origins else ""
    made = Table(title=f"{one.evaluator.name}{counted}", title_justify="left", box=None, pad_edge=False)
    columns = ["", "this", "against", "difference", "95 % interval"] if other else ["", "this", "95 % interval"]
    for column in columns:
        made.add_column(column, justify="right" if column else "left")
    intervals = gap.intervals if gap else one.intervals()
    for name, value in one.numbers.items():
        between = f"{intervals[name][0]:.4g} to {intervals[name][1]:.4g}" if name in intervals else ""
        more = [f"{other.numbers[name]:.4g}", f"{gap.numbers[name]:+.4g}"] if other else []
        made.add_row(name.replace("_", " "), f"{value:.4g}", *more, between)
    console().print(made)
    _confused(one)
    if gap:
        _differing(one, other, gap)


def _confused(one: Evaluation) -> None:
    """A line for each class, with how often each was found in its place."""
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.cli.folder import printable
    from smolrecipes.console import console

    counted = confusion(one)
    answers = sorted(
        {answer for found in counted.values() for answer in found}, key=lambda name: (name not in counted, name)
    )
    if not counted:
        return
    if len(answers) > WIDE:
        console().print(f"{len(answers)} different answers: who is taken for whom is in --json", style="dim")
        return
    made = Table(title="right, and what was found", title_justify="left", box=None, pad_edge=False)
    for name in ["", *answers]:
        made.add_column(Text(printable(name[:20])), justify="right" if name else "left")
    for name, found in counted.items():
        made.add_row(Text(printable(name)), *(f"{found.get(answer, 0):,}" for answer in answers))
    console().print(made)


def _differing(one: Evaluation, other: Evaluation | None, gap: Any) -> None:
    from rich.text import Text

    from smolrecipes.cli.folder import printable
    from smolrecipes.console import console

    console().print(f"{len(gap.rows):,} rows are scored differently", style="dim")
    if not (one.scores.shown and other):
        return
    for row in gap.rows[:SHOWN]:
        mine, theirs = one.scores.shown[row], other.scores.shown[row]
        told = [
            ("asked", mine["asked"]),
            ("right", mine["right"]),
            ("this", mine["answered"]),
            ("against", theirs["answered"]),
        ]
        console().print(Text(f"  {one.origins[row]}", style="bold"))
        for name, text in told:
            console().print(Text(f"    {name:<8} {printable(' '.join(text.split()))}"), soft_wrap=True)
