"""`smolrecipes show`: a recipe with where each value came from, or how two recipes differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.cli.origins import Row
    from smolrecipes.override import Changed


def command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A file, a name, or a run's folder.")],
    others: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION=VALUE]... [RECIPE [OPTION=VALUE]...]", help="Changes; or another recipe."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As recipe.json is written.")] = False,
) -> None:
    """A recipe with every value and where it came from; with two recipes, only what differs."""
    groups = [[recipe]]
    for word in others or ():
        if "=" in word:
            groups[-1].append(word)
        else:
            groups.append([word])
    if len(groups) > 2:
        raise RecipeError(f"show takes one recipe or two, not {len(groups)}: {', '.join(group[0] for group in groups)}")
    if len(groups) == 2:
        _differences(*groups)
    elif json:
        _json(groups[0])
    else:
        _one(groups[0])


def _json(group: list[str]) -> None:
    from smolrecipes.load import load_recipe
    from smolrecipes.named import resolve
    from smolrecipes.serialize import dumps

    typer.echo(dumps(resolve(load_recipe(group[0], group[1:]))), nl=False)


def _one(group: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.console import say

    changed, found = _rows(group)
    table = Table(box=None, padding=(0, 3, 0, 0), show_header=False)
    for column in ("option", "value", "from"):
        table.add_column(column, overflow="fold", style="dim" if column == "from" else "")
    for row in found:
        style = "dim" if row.origin == "default" else "bold" if row.is_component else ""
        depth = row.path.count(".")
        table.add_row(Text("  " * depth + row.name, style), Text(row.shown, style), row.origin)
    say(changed.recipe.title, table)
    for note in changed.notes:
        say(note)


def _rows(group: list[str]) -> tuple[Changed, list[Row]]:
    from dataclasses import replace

    from smolrecipes.cli.origins import rows
    from smolrecipes.load import load
    from smolrecipes.named import resolve
    from smolrecipes.override import change

    loaded = load(group[0])
    changed = change(loaded.recipe, group[1:])
    notes = list(changed.notes)
    changed = replace(changed, recipe=resolve(changed.recipe, notes), notes=tuple(notes))
    return changed, rows(loaded, changed)


def _differences(first: list[str], second: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.console import say

    sides = [{row.path: row.shown for row in _rows(group)[1]} for group in (first, second)]
    paths = [path for path in dict.fromkeys([*sides[0], *sides[1]]) if path != "title"]
    different = [path for path in paths if sides[0].get(path) != sides[1].get(path)]
    if not different:
        say(f"{' '.join(first)} and {' '.join(second)} are the same recipe")
        return
    table = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("", " ".join(first), " ".join(second)):
        table.add_column(Text(title), overflow="fold")
    for path in different:
        table.add_row(path, *(Text(side.get(path, "—")) for side in sides))
    say(table)
