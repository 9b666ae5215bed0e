"""Where each value of a recipe came from: a default, the recipe file, the recipe it derives from, the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolrecipes.component import Component
from smolrecipes.named import resolve
from smolrecipes.recipe import Recipe

if TYPE_CHECKING:
    from smolrecipes.load import Loaded
    from smolrecipes.override import Changed

MISSING = object()


@dataclass(frozen=True)
class Row:
    """One option of a recipe, or one component in it."""

    path: str
    shown: str
    origin: str
    is_component: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def rows(loaded: Loaded, changed: Changed) -> list[Row]:
    """Every option of the recipe, components before what is in them; of base recipes only what they set."""
    before = dict(_values(resolve(loaded.recipe), ""))
    bases = {name: _written(resolve(base)) for name, base in loaded.bases.items() if _derives(loaded.recipe, base)}
    found = []
    for path, value in _values(changed.recipe, ""):
        origin = _origin(path, value, changed, before, bases)
        inner = _inner_recipe(changed.recipe, path)
        if path.rpartition(".")[2] == "title" or (inner and _is_default(changed.recipe, path)):
            continue
        origin = inner if inner and origin != "command line" else origin
        found.append(Row(path, _shown(value), origin, isinstance(value, Component)))
    return found


def _values(component: Component, where: str) -> Iterator[tuple[str, Any]]:
    """Every value by its path: options, elements of tuples that are components, and what is inside them."""
    for name in component.options():
        value = getattr(component, name)
        items = [(name, value)]
        if isinstance(value, tuple) and any(isinstance(item, Component) for item in value):
            items = [(f"{name}.{index}", item) for index, item in enumerate(value)]
        for key, item in items:
            yield f"{where}{key}", item
            if isinstance(item, Component):
                yield from _values(item, f"{where}{key}.")


def _written(recipe: Recipe) -> dict[str, Any]:
    return {path: value for path, value in _values(recipe, "") if not _is_default(recipe, path)}


def _origin(path: str, value: Any, changed: Changed, before: dict[str, Any], bases: dict[str, dict[str, Any]]) -> str:
    if path in changed.given:
        return "command line"
    old = before.get(path, MISSING)
    same = type(value) is type(old) if isinstance(value, Component) else value == old
    if _is_default(changed.recipe, path) and (same or _under_given(path, changed)):
        return "default"
    if not same:
        return "command line" if changed.given else "recipe file"
    for name, values in bases.items():
        if values.get(path, MISSING) == value:
            return f"base {name}"
    return "recipe file"


def _under_given(path: str, changed: Changed) -> bool:
    return any(path.startswith(f"{given}.") for given in changed.given)


def _derives(recipe: Recipe, base: Recipe) -> bool:
    """Whether `recipe` was made from `base` by `replace`: they share a component, the very object."""
    shared = {id(child) for _, child in base.children()}
    return any(id(child) in shared for _, child in recipe.children())


def _is_default(recipe: Recipe, path: str) -> bool:
    """Whether the option was left at its default value."""
    owner, _, name = path.rpartition(".")
    component = _at(recipe, owner)
    if not isinstance(component, Component) or name not in component.options():
        return False
    return name not in component.given() and name not in component.changed()


def _at(value: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        value = value[int(part)] if isinstance(value, tuple) else getattr(value, part)
    return value


def _inner_recipe(recipe: Recipe, path: str) -> str:
    """The title of the base recipe that the path leads into."""
    title, value = "", recipe
    for part in path.split(".")[:-1]:
        value = value[int(part)] if isinstance(value, tuple) else getattr(value, part)
        title = value.title or "base recipe" if isinstance(value, Recipe) else title
    return title


def _shown(value: Any) -> str:
    if not isinstance(value, Component):
        return str(value)
    return value.title if isinstance(value, Recipe) else value.name if value.kind else ""
