"""`smolrecipes tokens`: what a tokenizer makes of text, alone or beside another."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Data, Tokenizer
    from smolrecipes.recipe import Recipe
    from smolrecipes.tokenizers.report import Figures, Report

ROWS = 2000
"""As many of the rows are read, evenly spread."""


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
    from smolrecipes.tokenizers.report import report

    found = [_found(words) for words in sources]
    text = _data(data, [recipe for _, recipe in found if recipe])
    groups = _groups(text)
    reports = [report(_tokenizer(chosen, recipe, text), groups) for chosen, recipe in found]
    names = [" ".join(words) for words in sources]
    if json:
        _json(names, reports)
    else:
        _table(names, reports)


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
    for row in each(rows.select(range(0, len(rows), max(1, len(rows) // ROWS)))):
        found.setdefault(str(row["origin"]).rpartition(":")[0], []).extend(texts(row))
    return {name: kept for name, kept in found.items() if kept}


def _json(names: list[str], reports: list[Report]) -> None:
    from json import dumps

    ratios = ("fertility", "bytes_per_token", "unknown_rate")
    found = []
    for name, one in zip(names, reports, strict=True):
        groups = {
            group: {**asdict(figures), **{ratio: getattr(figures, ratio) for ratio in ratios}}
            for group, figures in one.groups.items()
        }
        found.append({"source": name, **asdict(one), "groups": groups})
    typer.echo(dumps(found, ensure_ascii=False, indent=2))


def _table(names: list[str], reports: list[Report]) -> None:
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.console import say

    table = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("", "", *names):
        table.add_column(Text(title), overflow="fold")
    table.add_row("vocabulary", "", *(f"{one.vocabulary:,}" for one in reports))
    table.add_row("used here", "", *(f"{one.used:,} ({one.used / one.vocabulary:.0%})" for one in reports))
    for title, shown in ROWS_OF_A_GROUP.items():
        for number, group in enumerate(reports[0].groups):
            table.add_row("" if number else title, group, *(shown(one.groups[group]) for one in reports))
    table.add_row("longest tokens", "", *(Text(" ".join(map(repr, one.longest))) for one in reports))
    say(table)
    for group in reports[0].split:
        for name, one in zip(names, reports, strict=True):
            say("", f"{name}, {group}", "|".join(one.split[group]))


def _back(figures: Figures) -> str:
    """The share of characters that come back, and what the others lose."""
    return f"{1 - figures.changed:.1%}" + (f" ({', '.join(figures.reasons)})" if figures.reasons else "")


ROWS_OF_A_GROUP = {
    "tokens per word": lambda figures: f"{figures.fertility:.2f}",
    "bytes per token": lambda figures: f"{figures.bytes_per_token:.2f}",
    "unknown": lambda figures: f"{figures.unknown_rate:.1%}",
    "comes back": _back,
}
"""What is shown of each group, by its title."""
