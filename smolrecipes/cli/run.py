"""`smolrecipes run`: train a recipe here, or in several processes through accelerate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smolrecipes.errors import RecipeError

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[OPTION=VALUE]...", help="objective.beta=0.2, adapter=none, data=mine.jsonl"),
]
Source = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A file, a name, package.module[:name], or a run's folder.")
]


def command(
    recipe: Source,
    overrides: Overrides = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes to train with; more than one go through accelerate.")
    ] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; the old run is kept aside.")] = False,
    runs: Annotated[Path, typer.Option(help="The folder of all run directories.")] = Path("runs"),
) -> None:
    """Train a recipe and every recipe it builds on; what is trained already is not trained again.

    A value is read by the option's type; `kind=name` swaps a component, and `none` drops an optional one.
    A bare string for model or data is a registered name, a path, a URL or a hub id, in this order.
    """
    from smolrecipes.console import say
    from smolrecipes.load import load
    from smolrecipes.named import resolve
    from smolrecipes.override import change

    changed = change(load(recipe).recipe, overrides or [])
    notes = list(changed.notes)
    resolved = resolve(changed.recipe, notes)
    if processes > 1:
        raise typer.Exit(_launch(processes, [recipe, *(overrides or []), "--runs", str(runs), *["--fresh"] * fresh]))
    for note in notes:
        say(note)
    _start(resolved, runs, fresh)


def _start(recipe: object, runs: Path, fresh: bool) -> None:
    from smolrecipes.recipe import Recipe
    from smolrecipes.run import command_line, run

    assert isinstance(recipe, Recipe)
    if runs.exists() and not runs.is_dir():
        raise RecipeError(f"--runs {runs}: it is a file; name a folder")
    run(recipe, runs=runs, fresh=fresh, command=command_line())


def _launch(processes: int, arguments: list[str]) -> int:
    from smolrecipes.cli.launch import launch

    return launch(processes, arguments)
