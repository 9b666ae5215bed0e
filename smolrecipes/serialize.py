"""Recipe <-> JSON: names of components and versions of plugins, never an import path."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

from smolrecipes.annotations import bare, component_classes, element, members
from smolrecipes.component import Component
from smolrecipes.errors import RecipeError
from smolrecipes.functions import reference
from smolrecipes.kinds import KINDS
from smolrecipes.recipe import Recipe
from smolrecipes.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = ("smolrecipes", "plugins")
UNREGISTERED = "defined_in"


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON-ready data; components by name, with the versions of what brings them."""
    from importlib.metadata import version

    owners = {registry().owner(type(part)) for part in _parts(recipe)}
    used = {owner.distribution: owner.version for owner in owners if owner and owner.distribution != "smolrecipes"}
    return {"smolrecipes": version("smolrecipes"), "plugins": dict(sorted(used.items())), **_encode(recipe)}


def from_dict(data: dict[str, Any]) -> Recipe:
    """The recipe that `to_dict` stored; a component that is not installed is named with the plugin that brought it."""
    if not isinstance(data, dict):
        raise RecipeError(f"a stored recipe is a JSON object, not {data!r}")
    recorded = data.get("plugins", {})
    body = {name: value for name, value in data.items() if name not in HEADER}
    decoded = _decode(body, Recipe, recorded)
    assert isinstance(decoded, Recipe)
    return decoded


def dumps(recipe: Recipe) -> str:
    """`to_dict` as indented JSON."""
    return json.dumps(to_dict(recipe), indent=2, ensure_ascii=False) + "\n"


def loads(text: str, where: str = "recipe.json", change: Callable[[Any], Any] = lambda data: data) -> Recipe:
    """The recipe in a JSON text; `where` it is from is named in errors. change: what is made of the data that it holds."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecipeError(f"{where}:{error.lineno}: broken JSON ({error.msg})") from None
    try:
        return from_dict(change(data))
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def decode(value: Any, hint: Any) -> Any:
    """A JSON value as an option with that annotation stores it: `{"use": "objective:orpo"}` becomes a component."""
    return _decode(value, hint, {})


def _parts(component: Component) -> Iterator[Component]:
    yield component
    for name in component.options():
        yield from _inside(getattr(component, name))


def _inside(value: Any) -> Iterator[Component]:
    if isinstance(value, Component):
        yield from _parts(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _inside(item)


def _encode(value: Any) -> Any:
    if isinstance(value, Component):
        options = {name: _encode(getattr(value, name)) for name in value.options()}
        return {**_label(type(value)), **options} if value.kind in KINDS else options
    if isinstance(value, dict):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if inspect.isfunction(value):
        return reference(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise RecipeError(
        f"{value!r} cannot be stored in recipe.json; an option is a number, text, list, dict, function or component"
    )


def _label(component: type[Component]) -> dict[str, str]:
    if taken := {"use", UNREGISTERED} & component.options().keys():
        raise RecipeError(f"{component.__name__}: '{taken.pop()}' is a reserved name; call the option something else")
    label = {"use": f"{component.kind}:{component.name}"}
    if registry().owner(component) is None:
        label[UNREGISTERED] = f"a recipe file, as class {component.__name__}"
    return label


def _decode(value: Any, hint: Any, recorded: dict[str, str]) -> Any:
    classes = component_classes(hint)
    if isinstance(value, dict) and classes:
        if "use" in value:
            return _make(_named(value, recorded), {k: v for k, v in value.items() if k != "use"}, recorded)
        if plain := [cls for cls in classes if cls.kind not in KINDS]:
            return _make(plain[0], value, recorded)
    if isinstance(value, (list, tuple)):
        inner = element(hint, tuple) or element(hint, list)
        return tuple(_decode(item, inner, recorded) for item in value) if _may_hold(inner) else value
    if isinstance(value, dict):
        inner = element(hint, dict)
        return {key: _decode(item, inner, recorded) for key, item in value.items()} if _may_hold(inner) else value
    return value


def _make(cls: type[Component], value: dict[str, Any], recorded: dict[str, str]) -> Component:
    """The component; as the file holds every option, only those count as given that are not the default."""
    hints = cls.hints()
    for name in sorted(value.keys() & hints.keys()):
        if value[name] is not None and _may_call(hints[name]):
            raise RecipeError(
                f"the {cls.kind} '{cls.name}' calls the function {value[name]!r}, which no stored recipe does: "
                f"load the recipe file that names it instead, or register a {cls.kind} of your own in a plugin"
            )
    made = cls(**{name: _decode(item, hints.get(name, Any), recorded) for name, item in value.items()})
    return cls(**made.changed())


def function_in(stored: dict[str, Any]) -> str:
    """The function that a stored component calls, which no stored recipe brings back; "" where it calls none."""
    kind, _, name = str(stored["use"]).partition(":")
    hints = {found.name: found.hints() for found, _ in registry().all() if found.kind == kind}.get(name, {})
    return next((str(value) for key, value in stored.items() if value and key in hints and _may_call(hints[key])), "")


def _may_call(hint: Any) -> bool:
    """Whether the option takes a function, which would be imported."""
    return any(Callable in (bare(member), get_origin(bare(member))) for member in members(hint))


def _may_hold(hint: Any) -> bool:
    inner = [element(hint, container) for container in (tuple, list, dict)]
    return bool(component_classes(hint)) or any(_may_hold(item) for item in inner if item is not None)


def _named(value: dict[str, Any], recorded: dict[str, str]) -> type[Component]:
    kind, _, name = str(value["use"]).partition(":")
    if kind not in KINDS:
        raise RecipeError(f"'{value['use']}' is not kind:name with a kind of {', '.join(KINDS)}")
    if UNREGISTERED in value:
        raise RecipeError(
            f"the {kind} '{name}' was defined in {value[UNREGISTERED]}, which no plugin brings: "
            "load that recipe file instead, or register the class in a plugin"
        )
    try:
        return registry().find(kind, name)
    except RecipeError as error:
        raise RecipeError(f"{error}{_brought(recorded)}") from None


def _brought(recorded: dict[str, str]) -> str:
    """Which recorded plugins are missing, or have another version now."""
    installed = {plugin.distribution: plugin.version for plugin in registry().plugins()}
    missing = [f"{name}=={release}" for name, release in recorded.items() if name not in installed]
    if missing:
        return f"; it was made with {' and '.join(missing)}: pip install {' '.join(missing)}"
    other = [f"{n} {release} (installed: {installed[n]})" for n, release in recorded.items() if installed[n] != release]
    return f"; it was made with {' and '.join(other)}" if other else ""
