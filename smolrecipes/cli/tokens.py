"""`smolrecipes tokens`: what a tokenizer makes of text, alone or beside another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Data, Tokenizer
    from smolrecipes.recipe import Recipe

ROWS = 2000
"""As many of the rows are read at most, evenly spread."""


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A run, a folder, a recipe or a tokenizer's name.")],
    others: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION=VALUE]... [SOURCE [OPTION=VALUE]...]", help="Changes; or another one."),
    ] = None,
    data: Annotated[str, typer.Option(metavar="DATA", help="The text; by default the first recipe's data.")] = "",
    json: Annotated[bool, typer.Option("--json", help="The numbers, to be read by programs.")] = False,
) -> None:
    """How many tokens a word takes, bytes per token by language, what is unknown, what comes back; or two compared."""
    sources = [[source]]
    for word in others or ():
        if "=" in word:
            sources[-1].append(word)
        else:
            sources.append([word])
    if len(sources) > 2:
        raise RecipeError(f"tokens takes one source or two, not {len(sources)}: {', '.join(s[0] for s in sources)}")
    _tell(sources, data, json)


def _tell(sources: list[list[str]], data: str, json: bool) -> None:
    from smolrecipes.cache import kept_in
    from smolrecipes.cli.figures import as_json, table
    from smolrecipes.origin import kept_for
    from smolrecipes.tokenizers.report import report

    found = [_found(words) for words in sources]
    places = [kept_for(Path(words[0])) for words in sources]  # what a run has prepared is found again
    text = _data(data, [recipe for _, recipe in found if recipe])
    with kept_in(next((place for place, (_, recipe) in zip(places, found) if recipe), places[0])):
        groups = _groups(text)
    reports = []
    for place, (chosen, recipe) in zip(places, found):
        with kept_in(place):
            reports.append(report(_tokenizer(chosen, recipe, text), groups))
    names = [" ".join(words) for words in sources]
    if json:
        as_json(names, reports)
    else:
        table(names, reports)


def _found(words: list[str]) -> tuple[Tokenizer | None, Recipe | None]:
    """The tokenizer that a source names, and the recipe, where it is one or was made by one."""
    from smolrecipes.load import load_recipe
    from smolrecipes.named import named, resolve, run_at
    from smolrecipes.registry import registry

    name, folder = words[0], run_at(Path(words[0]).expanduser())
    is_tokenizer = name in registry().names("tokenizer") or folder.is_dir() or _is_hub_id(name)
    if not is_tokenizer:
        return None, resolve(load_recipe(name, words[1:]))
    if words[1:]:
        raise RecipeError(f"{words[1]}: only a recipe's options are changed, and {name} is none")
    recipe = resolve(load_recipe(name)) if (folder / "recipe.json").is_file() else None
    if recipe and not (folder / "model").is_dir():
        return None, recipe
    chosen = named("tokenizer", name, "tokens")
    made: Any = chosen.component(**chosen.options)
    return made, recipe


def _is_hub_id(name: str) -> bool:
    from smolrecipes.named import HUB_ID, SUFFIXES

    return (
        "/" in name and bool(HUB_ID.fullmatch(name)) and not Path(name).exists() and Path(name).suffix not in SUFFIXES
    )


def _data(data: str, recipes: list[Recipe]) -> Data:
    """The text that is looked at."""
    from smolrecipes.kinds import Data
    from smolrecipes.named import named

    if not data and not recipes:
        raise RecipeError("tokens: there is no recipe here whose data it could read; name some, as in --data a.txt")
    chosen = named("data", data, "--data") if data else None
    found: Any = chosen.component(**chosen.options) if chosen else recipes[0].data
    assert isinstance(found, Data)
    return found


def _tokenizer(chosen: Tokenizer | None, recipe: Recipe | None, data: Data) -> PreTrainedTokenizerBase:
    """As it was saved, or learned as the recipe says; one that is only named learns from the text that is looked at."""
    from smolrecipes.architectures.trained import Trained
    from smolrecipes.assemble import load_rows
    from smolrecipes.build import build_tokenizer

    if chosen is not None:
        return chosen.build(None if chosen.name == "pretrained" else data.load())
    assert recipe is not None
    while recipe.tokenizer is None and isinstance(recipe.model, Trained):
        recipe = recipe.model.recipe
    return build_tokenizer(recipe, load_rows(recipe)[0])


def _groups(data: Data) -> dict[str, list[str]]:
    """Texts by language, where the data can be had in each alone, or else by the file they are from."""
    languages: tuple[str, ...] = getattr(data, "languages", ())
    rows = data.load()
    if len(languages) < 2 or "source" in rows.column_names:  # a pair is of two languages at once
        return _by_origin(rows)
    alone = {one: _by_origin(data.replace(languages=(one,)).load()) for one in languages}
    return {one: [text for kept in found.values() for text in kept] for one, found in alone.items()}


def _by_origin(rows: Dataset) -> dict[str, list[str]]:
    from smolrecipes.data.rows import each, texts

    found: dict[str, list[str]] = {}
    for row in each(rows.select(range(0, len(rows), max(1, -(-len(rows) // ROWS))))):
        found.setdefault(str(row["origin"]).rpartition(":")[0], []).extend(texts(row))
    return {name: kept for name, kept in found.items() if kept}
