"""What a recipe for one's own data is expected to take, before it is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolrecipes.cli.from_data import Plan
    from smolrecipes.recipe import Recipe


def expected(found: Plan, target: Path) -> tuple[list[str], bool]:
    """Rows, and what training is expected to take of time and memory, or why that is not known; whether it can be run."""
    from smolrecipes.check.check import deeper, light
    from smolrecipes.load import load_recipe

    told = f"rows     {len(found.rows):,} ({found.kind})"
    if found.unknown:
        guess = f"max_length={found.length} is a guess; once the model is here: smolrecipes check --deep {target}"
        return [told, f"not measured: {found.unknown}", guess], True
    told += f", {found.length:,} tokens at the most" + (", longer ones cut" if found.cut else "")
    recipe = load_recipe(str(target), [])
    findings, subject = light(recipe, Path("runs") / ".cache")
    more, notes = deeper(subject) if subject is not None else ([], [])
    findings += more
    said = [f"{one.level}: {one.code}: {one.sentence}" for one in findings]
    return [told, *notes, *_before(recipe), *said], all(one.level != "error" for one in findings)


def _before(recipe: Recipe) -> list[str]:
    """The recipes that `run` trains first: their time is not in what was measured."""
    from smolrecipes.run import place
    from smolrecipes.summary import chain

    *before, _ = chain(place(recipe, Path("runs")))
    waiting = [run.recipe.title for run in before if not run.finished]
    if not waiting:
        return []
    return [f"run trains {' and '.join(waiting)} first, on top of that: smolrecipes check --deep {waiting[-1]} tells"]
