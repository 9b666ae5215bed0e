"""`smolrecipes eval`: numbers about a trained model, alone or beside another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.evaluation import Evaluation
    from smolrecipes.kinds import Evaluator

SHOWN = 5
"""Rows on which two models differ that are printed; `--out` keeps all."""


def command(
    model: Annotated[str, typer.Argument(metavar="RUN", help="A run, or a folder with a model.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME.OPTION=VALUE]...", help="Of the evaluators: exact_match.what=number."),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="NAME", help="An evaluator, more than once for more; the recipe's own otherwise."
        ),
    ] = None,
    data: Annotated[str, typer.Option(help="The rows for all of them; the run's held-out ones otherwise.")] = "",
    against: Annotated[str, typer.Option(metavar="RUN", help="Another model, or 'base', to set beside it.")] = "",
    rows: Annotated[int, typer.Option(min=0, help="At most so many rows, evenly spread; 0 takes all.")] = 500,
    out: Annotated[str, typer.Option(metavar="FILE.jsonl", help="Keep every row with its scores.")] = "",
    json: Annotated[bool, typer.Option("--json", help="The numbers, to be read by programs.")] = False,
) -> None:
    """Evaluate a trained model; with --against, two of them on the same rows, with 95 % intervals and where they differ."""
    from smolrecipes.cli.folder import model_folder

    folder = model_folder(Path(model))
    chosen = _evaluators(folder, names or [], data, rows, options or [])
    from smolrecipes.evaluation import evaluate, subject_of

    subject = subject_of(folder)
    other = _other(against, subject.base) if against else None
    found = [evaluate(one, subject) for one in chosen]
    beside = None
    if other:
        from smolrecipes.kinds import Subject

        loaded = subject_of(other)
        theirs = Subject(loaded.model, loaded.tokenizer, subject.decoding, folder, loaded.base)  # the same rows
        beside = [evaluate(one, theirs) for one in chosen]
    _write(found, beside, Path(out) if out else None)
    _print(found, beside, json)


def _other(against: str, base: Path | None) -> Path:
    from smolrecipes.cli.folder import model_folder

    if against == "base" and base is None:
        raise RecipeError("--against base: the run began with no other model; name one")
    return base if against == "base" and base else model_folder(Path(against))


def _evaluators(folder: Path, names: list[str], data: str, rows: int, options: list[str]) -> list[Evaluator]:
    """The evaluators that are asked for, or the recipe's own, with the options that the command line gives."""
    from smolrecipes.cli.components import given
    from smolrecipes.evaluation import recipe_of
    from smolrecipes.registry import registry

    recipe = recipe_of(folder)
    own = [] if names else list(recipe.evaluators if recipe else ())
    classes: list[Any] = [type(one) for one in own] or [
        registry().find("evaluator", name) for name in names or ["likelihood"]
    ]
    asked: dict[str, dict[str, Any]] = {cls.name: {"max_rows": rows or None} for cls in classes}
    if data:
        asked = {name: {**one, "data": data} for name, one in asked.items()}
    for name, more in given(classes, options, "evaluators", "exact_match.what=number").items():
        asked[name] |= more
    return [one.replace(**asked[one.name]) for one in own] or [cls(**asked[cls.name]) for cls in classes]


def _write(found: list[Evaluation], beside: list[Evaluation] | None, file: Path | None) -> None:
    if file is None:
        return
    from smolrecipes.evaluation import record
    from smolrecipes.files import refused

    lines = "".join(f"{record(one)}\n" for one in [*found, *(beside or [])])
    if why := refused(lambda: file.write_text(lines, encoding="utf-8")):
        raise RecipeError(f"--out {file}: it cannot be written ({why})")


def _print(found: list[Evaluation], beside: list[Evaluation] | None, json: bool) -> None:
    from smolrecipes.evaluation import difference

    gaps = [difference(other, one) for one, other in zip(found, beside or [])]
    if json:
        from json import dumps

        parts = {one.evaluator.name: {"numbers": one.numbers, "rows": len(one.origins)} for one in found}
        for one, other, gap in zip(found, beside or [], gaps):
            parts[one.evaluator.name] |= {
                "against": other.numbers,
                "difference": gap.numbers,
                "intervals": gap.intervals,
            }
        print(dumps(parts, ensure_ascii=False))
        return
    for index, one in enumerate(found):
        _table(one, beside[index] if beside else None, gaps[index] if beside else None)


def _table(one: Evaluation, other: Evaluation | None, gap: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.cli.folder import printable
    from smolrecipes.console import console

    counted = f", {len(one.origins):,} of {one.of:,} rows" if one.origins else ""
    table = Table(title=f"{one.evaluator.name}{counted}", title_justify="left", box=None, pad_edge=False)
    columns = ["", "this", "against", "difference", "95 % interval"] if other else ["", "this", "95 % interval"]
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    intervals = gap.intervals if gap else one.intervals()
    for name, value in one.numbers.items():
        between = f"{intervals[name][0]:.4g} to {intervals[name][1]:.4g}" if name in intervals else ""
        more = [f"{other.numbers[name]:.4g}", f"{gap.numbers[name]:+.4g}"] if other else []
        table.add_row(name.replace("_", " "), f"{value:.4g}", *more, between)
    console().print(table)
    if not gap:
        return
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
