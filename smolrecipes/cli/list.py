"""`smolrecipes list`: what is installed."""

from __future__ import annotations

from dataclasses import MISSING
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from smolrecipes.component import Component
    from smolrecipes.registry import Registry


def command(
    context: typer.Context,
    plugins: Annotated[bool, typer.Option("--plugins", help="The installed plugins and what each brings.")] = False,
) -> None:
    """The components by kind, with their options and the plugin that brings them; the recipes; the plugins.

    KIND shows one kind only: objective, adapter, data, ..., or recipe.
    """
    from smolrecipes.console import say
    from smolrecipes.kinds import KINDS
    from smolrecipes.registry import registry

    if len(context.args) > 1:
        raise RecipeError(f"list takes one kind, not {len(context.args)}: {', '.join(context.args)}")
    wanted = _singular("".join(context.args), [*KINDS, "recipe"])
    if plugins:
        say(_plugins(registry()))
        return
    for each in KINDS:
        if wanted in ("", each) and (registry().names(each) or wanted):
            say(_components(registry(), each))
    if wanted in ("", "recipe"):
        say(_recipes(registry()))


def _singular(kind: str, known: list[str]) -> str:
    """`objectives` is `objective` too."""
    if not kind or kind in known:
        return kind
    if kind.endswith("s") and kind[:-1] in known:
        return kind[:-1]
    raise RecipeError(f"there is no kind '{kind}'{nearest(kind, known)} (there is: {', '.join(known)})")


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    for column in columns:
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    return table


def _components(registry: Registry, kind: str) -> Table:
    table = _table(f"\n{kind}", "name", "what", "plugin")
    for component, plugin in registry.all():
        if component.kind == kind:
            what = f"{(component.__doc__ or '').strip().splitlines()[0]}\n{_options(component)}".rstrip()
            table.add_row(component.name, _plain(what), "" if plugin.name == "builtin" else str(plugin))
    return table


def _options(component: type[Component]) -> str:
    """The options on one line, with their defaults."""
    return ", ".join(f"{name}{_default(spec)}" for name, spec in component.options().items())


def _default(spec: Any) -> str:
    if spec.default_factory is not MISSING:
        shown = repr(spec.default_factory()) if spec.default_factory in (dict, list, tuple) else ""
        return f"={shown}" if shown else ""
    return "" if spec.default is MISSING else f"={spec.default}"


def _recipes(registry: Registry) -> Table:
    table = _table("\nrecipe", "name", "what")
    for name, path in registry.recipes().items():
        table.add_row(name, _plain(_docstring(path)))
    return table


def _docstring(path: str) -> str:
    """The first line of a module, without running it."""
    import ast
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec(path)
    if spec is None or spec.origin is None:
        raise RecipeError(f"the recipe {path} is registered, but there is no such module")
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def _plugins(registry: Registry) -> Table:
    table = _table("", "name", "version", "what")
    for plugin in registry.plugins():
        brings = [f"{c.kind}:{c.name}" for c in plugin.components] + [f"recipe:{path}" for path in plugin.recipes]
        table.add_row(plugin.distribution, plugin.version, _plain(", ".join(brings) or "nothing"))
    return table


def _plain(text: str) -> Any:
    """Text in which rich reads no markup: option values have brackets."""
    from rich.text import Text

    return Text(text)
