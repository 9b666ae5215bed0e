"""`smolrecipes list`: what is installed."""

from __future__ import annotations

import inspect
import itertools
import shutil
import textwrap
from dataclasses import MISSING
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from smolrecipes.component import Component
    from smolrecipes.registry import Plugin, Registry


def command(
    context: typer.Context,
    plugins: Annotated[bool, typer.Option("--plugins", help="The installed plugins and what each brings.")] = False,
) -> None:
    """The components by kind, with their options and the plugin that brings them; the recipes; the plugins.

    KIND shows one kind only: objective, adapter, data, ..., or recipe.
    """
    from smolrecipes.kinds import KINDS
    from smolrecipes.registry import registry

    if len(context.args) > 1:
        raise RecipeError(f"list takes one kind, not {len(context.args)}: {', '.join(context.args)}")
    wanted = _singular("".join(context.args), [*KINDS, "recipe"])
    if plugins:
        _section("plugin", _plugins(registry()))
        return
    for each in KINDS:
        if wanted in ("", each) and (registry().names(each) or wanted):
            _section(each, _components(registry(), each))
    if wanted in ("", "recipe"):
        _section("recipe", [(name, _docstring(path)) for name, path in registry().recipes().items()])


def _singular(kind: str, known: list[str]) -> str:
    """`objectives` is `objective` too."""
    if not kind or kind in known:
        return kind
    if kind.endswith("s") and kind[:-1] in known:
        return kind[:-1]
    raise RecipeError(f"there is no kind '{kind}'{nearest(kind, known)} (there is: {', '.join(known)})")


def _section(title: str, rows: list[tuple[str, ...]]) -> None:
    """A title, and the rows below it: a name, and beside it its paragraphs. By hand, since rich takes as long as all the rest."""
    indent = max((len(name) for name, *_ in rows), default=0) + 2
    width = max(20, shutil.get_terminal_size().columns - indent)
    typer.secho(f"\n{title}", bold=True)
    for name, *paragraphs in rows:
        lines = [line for text in paragraphs for line in textwrap.wrap(text, width, break_on_hyphens=False)]
        for head, line in itertools.zip_longest([name], lines, fillvalue=""):
            typer.echo(f"{head:{indent}}{line}".rstrip())


def _components(registry: Registry, kind: str) -> list[tuple[str, ...]]:
    found = [(component, plugin) for component, plugin in registry.all() if component.kind == kind]
    return [(component.name, _what(component, plugin), _options(component)) for component, plugin in found]


def _what(component: type[Component], plugin: Plugin) -> str:
    """The first paragraph of its docstring, and which plugin brings it when it is another's."""
    told = _opening(component.__doc__ or "")
    return told if plugin.name == "builtin" else f"{told} ({plugin})"


def _opening(docstring: str) -> str:
    """The first paragraph on one line."""
    return " ".join(inspect.cleandoc(docstring).partition("\n\n")[0].split())


def _options(component: type[Component]) -> str:
    """The options on one line, with their defaults."""
    return ", ".join(f"{name}{_default(spec)}" for name, spec in component.options().items())


def _default(spec: Any) -> str:
    if spec.default_factory is not MISSING:
        shown = repr(spec.default_factory()) if spec.default_factory in (dict, list, tuple) else ""
        return f"={shown}" if shown else ""
    return "" if spec.default is MISSING else f"={spec.default}"


def _docstring(path: str) -> str:
    """The first paragraph of a module, without running it."""
    import ast
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec(path)
    if spec is None or spec.origin is None:
        raise RecipeError(f"the recipe {path} is registered, but there is no such module")
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return _opening(text)


def _plugins(registry: Registry) -> list[tuple[str, ...]]:
    def brings(plugin: Plugin) -> str:
        names = [f"{component.kind}:{component.name}" for component in plugin.components]
        return ", ".join([*names, *(f"recipe:{path}" for path in plugin.recipes)]) or "nothing"

    return [(str(plugin), brings(plugin)) for plugin in registry.plugins()]
