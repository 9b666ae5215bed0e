"""Healthy work passes: 220 pairs of a recipe and data, of which at most one may have an error, and it would be a false one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import Files, Mix, Recipe, Toy
from smolrecipes.check.check import light
from smolrecipes.load import load_recipe
from smolrecipes.registry import registry

VARIANTS = 10
NAMES = sorted(registry().recipes())
ERRORS: list[str] = []


def variant(recipe: Recipe, number: int, folder: Path) -> Recipe:
    """The recipe on other rows: more or fewer, of another seed, in one language, or from a file."""
    rows, seed = (150, 300, 600, 900, 1_500)[number % 5], number

    def other(data: Any) -> Any:
        """Data of other rows; some are made of others."""
        if isinstance(data, Mix):
            return data.replace(sources=tuple(map(other, data.sources)))
        if not isinstance(data, Toy):
            return data.replace(data=other(data.data))
        found = data.replace(rows=rows, seed=seed)
        one = number == 7 and len(found.languages) > 1 and "translations" not in found.task
        return found.replace(languages=("it",)) if one else found

    whole = other(recipe.data)
    recipe = recipe.replace(data=whole, validation=0.1)
    if "languages" in recipe.objective.options():  # a file of pairs does not name them
        recipe = recipe.replace(objective=recipe.objective.replace(languages=("en", "it")))
    if number < 8:
        return recipe
    file = folder / "rows.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        for row in whole.load():
            stream.write(json.dumps({k: v for k, v in row.items() if k != "origin"}, ensure_ascii=False) + "\n")
    return recipe.replace(data=Files(str(file)))


@pytest.mark.parametrize("name", NAMES)
def test_no_false_error(name: str, tmp_path: Path) -> None:
    for number in range(VARIANTS):
        found = light(variant(load_recipe(name), number, tmp_path))[0]
        ERRORS.extend(f"{name} {number}: {one.code}: {one.sentence}" for one in found if one.level == "error")
    assert len(ERRORS) <= 1, ERRORS


def test_there_were_enough() -> None:
    assert len(NAMES) * VARIANTS >= 200
