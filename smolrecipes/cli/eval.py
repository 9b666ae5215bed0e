"""`smolrecipes eval`: numbers about a trained model, alone or beside another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.evaluation import Evaluation
    from smolrecipes.kinds import Evaluator, Weights

    Pair = tuple[Evaluation, Evaluation | None]


def command(
    model: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, its recipe file, a folder with a model, or a .gguf file.")
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME.OPTION=VALUE]...",
            help="Of the evaluators, exact_match.what=number, and of how it answers, decoding.max_new_tokens=256.",
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="NAME", help="An evaluator, more than once for more; the recipe's own otherwise."
        ),
    ] = None,
    data: Annotated[str, typer.Option(help="The rows for all of them; the run's held-out ones otherwise.")] = "",
    against: Annotated[str, typer.Option(metavar="RUN", help="Another model, or 'base', to set beside it.")] = "",
    rows: Annotated[
        int | None, typer.Option(min=0, help="At most so many rows, evenly spread, 500 by default; 0 takes all.")
    ] = None,
    out: Annotated[str, typer.Option(metavar="FILE.jsonl", help="Keep every row with its scores.")] = "",
    json: Annotated[bool, typer.Option("--json", help="The numbers, to be read by programs.")] = False,
) -> None:
    """Evaluate a trained model; with --against, two of them on the same rows, with 95 % intervals and where they differ."""
    from smolrecipes.cli.components import given
    from smolrecipes.cli.folder import changed, model_or_file, run_of_file
    from smolrecipes.decoding import Decoding
    from smolrecipes.kinds import Weights
    from smolrecipes.origin import recipe_of

    run = run_of_file(Path(model))
    place = run.model if run else model_or_file(Path(model))
    recipe = run.recipe if run else recipe_of(place)
    own: list[Any] = list(recipe.evaluators if recipe else ())
    written = [text for text in options or [] if text.startswith("decoding.")]
    chosen = _evaluators(place, own, names or [], data, rows, [text for text in options or [] if text not in written])
    decoding = given([Decoding], written, "evaluators", "decoding.max_new_tokens=256")["decoding"]
    from smolrecipes.evaluation import beside, evaluate, subject_of

    subject = subject_of(place, recipe)
    subject = replace(subject, decoding=changed(subject.decoding, decoding))
    other = _other(against, subject.base) if against else None
    theirs = beside(subject, other) if other else None
    for one in chosen:
        one.check(subject)
        if theirs and not one.compares:
            one.check(theirs)
    pairs = [(evaluate(one, subject), evaluate(one, theirs) if theirs and not one.compares else None) for one in chosen]
    told = (model, other.path if isinstance(other, Weights) else against)
    _write(pairs, told, Path(out) if out else None)
    _print(pairs, told, json)


def _other(against: str, base: Weights | None) -> Path | Weights:
    """What is set beside the model."""
    from smolrecipes.cli.folder import model_or_file

    if against != "base":
        return model_or_file(Path(against))
    if base is None:
        raise RecipeError("--against base: the run began with no other model; name one")
    return base


def _evaluators(
    place: Path, own: list[Any], names: list[str], data: str, rows: int | None, options: list[str]
) -> list[Evaluator]:
    """The evaluators that are asked for, or the recipe's own, with the options that the command line gives."""
    from smolrecipes.cli.components import given
    from smolrecipes.evaluators.likelihood import Likelihood

    chosen = [one for name in names for one in _named(name, own)] or _fitting(place, own or [Likelihood()])
    classes: list[Any] = [one if isinstance(one, type) else type(one) for one in chosen]
    changes = given(classes, options, "evaluators", "exact_match.what=number")
    asked = {**({"data": data} if data else {}), **({} if rows is None else {"max_rows": rows or None})}
    if asked and not any(cls.rows for cls in classes):
        raise RecipeError(f"--data and --rows: {classes[0].name} brings its own questions and reads no rows")
    made = [one if isinstance(one, type) else one.replace for one in chosen]
    return [make(**{**(asked if cls.rows else {}), **changes[cls.name]}) for make, cls in zip(made, classes)]


def _named(name: str, own: list[Any]) -> list[Any]:
    """The recipe's own evaluators of a name, or its class."""
    from smolrecipes.registry import registry

    return [one for one in own if one.name == name] or [registry().find("evaluator", name)]


def _fitting(place: Path, own: list[Any]) -> list[Any]:
    """Of a recipe's evaluators those that a GGUF file can be asked, with a word on the others."""
    from smolrecipes.console import say

    if place.suffix != ".gguf" or all(one.asks for one in own):
        return own
    left = ", ".join(one.name for one in own if not one.asks)
    if not any(one.asks for one in own):
        raise RecipeError(
            f"{place.name} only answers, and {left} asks for more; name what goes by answers: --with function_calls, "
            "--with exact_match, or --with classify classify.by=generation"
        )
    say(f"{place.name} only answers, so {left} is left out")
    return [one for one in own if one.asks]


def _write(pairs: list[Pair], models: tuple[str, str], file: Path | None) -> None:
    if file is None:
        return
    from smolrecipes.evaluation import record
    from smolrecipes.files import refused

    found = [(one, model) for pair in pairs for one, model in zip(pair, models) if one]
    lines = "".join(f"{line}\n" for one, model in found for line in record(one, model))
    if why := refused(lambda: file.write_text(lines, encoding="utf-8")):
        raise RecipeError(f"--out {file}: it cannot be written ({why})")


def _print(pairs: list[Pair], models: tuple[str, str], json: bool) -> None:
    from smolrecipes.cli.scores import figures, table
    from smolrecipes.evaluation import difference

    found = [(one, other, difference(other, one) if other else None) for one, other in pairs]
    if json:
        from json import dumps

        print(dumps([figures(*one, models) for one in found], ensure_ascii=False))
        return
    for one in found:
        table(*one)
