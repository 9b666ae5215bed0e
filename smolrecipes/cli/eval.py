"""`smolrecipes eval`: numbers about a trained model, alone or beside another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.evaluation import Evaluation
    from smolrecipes.kinds import Evaluator


def command(
    model: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, a folder with a model, or a .gguf file of a run's.")
    ],
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
    from smolrecipes.cli.folder import model_or_file

    place = model_or_file(Path(model))
    from smolrecipes.evaluation import evaluate, model_of, subject_of

    chosen = _evaluators(model_of(place), names or [], data, rows, options or [])
    subject = subject_of(place)
    other = _other(against, subject.base) if against else None
    found = [evaluate(one, subject) for one in chosen]
    beside = None
    if other:
        from smolrecipes.kinds import Subject

        loaded = subject_of(other)
        same = subject.folder  # and so the same rows
        theirs = Subject(loaded.model, loaded.tokenizer, subject.decoding, same, loaded.base, loaded.file)
        beside = [evaluate(one, theirs) for one in chosen]
    _write(found, beside, Path(out) if out else None)
    _print(found, beside, json)


def _other(against: str, base: Path | None) -> Path:
    from smolrecipes.cli.folder import model_or_file

    if against == "base" and base is None:
        raise RecipeError("--against base: the run began with no other model; name one")
    return base if against == "base" and base else model_or_file(Path(against))


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
    from smolrecipes.cli.scores import table
    from smolrecipes.evaluation import confusion, difference

    gaps = [difference(other, one) for one, other in zip(found, beside or [])]
    if json:
        from json import dumps

        parts: dict[str, dict[str, Any]] = {
            one.evaluator.name: {"numbers": one.numbers, "rows": len(one.origins)} for one in found
        }
        for one in found:
            parts[one.evaluator.name] |= {"confusion": told} if (told := confusion(one)) else {}
        for one, other, gap in zip(found, beside or [], gaps):
            parts[one.evaluator.name] |= {
                "against": other.numbers,
                "difference": gap.numbers,
                "intervals": gap.intervals,
            }
        print(dumps(parts, ensure_ascii=False))
        return
    for index, one in enumerate(found):
        table(one, beside[index] if beside else None, gaps[index] if beside else None)
