"""Names for components: which installed distribution brings which class, found lazily through pluggy."""

from __future__ import annotations

import functools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pluggy import HookImpl, PluginManager, PluginValidationError

from smolrecipes import hookspecs
from smolrecipes.component import Component
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import KINDS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PREFIX = "smolrecipes_register_"
HEAVY = ("torch", "transformers", "datasets")
HOOKED = {"data": "data"} | {f"{kind}s": kind for kind in KINDS if kind != "data"}
"""The kind of each hook, by what follows the prefix; `recipes` is the tenth."""


@dataclass(frozen=True)
class Plugin:
    """One entry point of one installed distribution, and what it brings."""

    name: str
    distribution: str
    version: str
    components: tuple[type[Component], ...] = ()
    recipes: tuple[str, ...] = ()
    heavy: tuple[str, ...] = ()
    """Heavy libraries that importing it imported."""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Registry:
    """Every component that can be named, with the plugin that brings it."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._owners: dict[tuple[str, str], tuple[type[Component], Plugin]] = {}
        self._recipes: dict[str, tuple[str, Plugin]] = {}
        for plugin in self._plugins:
            for component in plugin.components:
                self._claim(self._owners, (component.kind, component.name), component, plugin)
            for path in plugin.recipes:
                self._claim(self._recipes, path.rpartition(".")[2], path, plugin)

    def _claim(self, taken: dict[Any, Any], key: Any, what: Any, plugin: Plugin) -> None:
        if key in taken:
            label = " ".join(key) if isinstance(key, tuple) else f"recipe {key}"
            both = f"{taken[key][1]} and {plugin}" if taken[key][1] != plugin else f"{plugin}, twice"
            mend = "uninstall one, or choose with SMOLRECIPES_PLUGINS=name"
            raise RecipeError(f"'{label}' is registered by {both}: {mend}")
        taken[key] = (what, plugin)

    def find(self, kind: str, name: str) -> type[Component]:
        """The class of that kind and name, or RecipeError with the nearest name and what is installed."""
        if (kind, name) in self._owners:
            return self._owners[kind, name][0]
        names = self.names(kind)
        raise RecipeError(f"no {kind} named '{name}'{nearest(name, names)} (installed: {', '.join(names) or 'none'})")

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(name for owned, name in self._owners if owned == kind)

    def all(self) -> list[tuple[type[Component], Plugin]]:
        """Every component with the plugin that brings it, by kind (in their order) and name."""
        order = list(KINDS)
        return sorted(self._owners.values(), key=lambda item: (order.index(item[0].kind), item[0].name))

    def owner(self, component: type[Component]) -> Plugin | None:
        """The plugin that brings this very class; None for a class that nobody registered."""
        found, plugin = self._owners.get((component.kind, component.name), (None, None))
        return plugin if found is component else None

    def plugins(self) -> tuple[Plugin, ...]:
        """The loaded plugins; smolrecipes itself is the first."""
        return self._plugins

    def recipes(self) -> dict[str, str]:
        """The import path of each registered recipe, by its short name."""
        return {name: path for name, (path, _) in sorted(self._recipes.items())}


@functools.cache
def registry() -> Registry:
    """What the installed distributions bring, loaded at the first call."""
    from importlib.metadata import version  # here, since it takes as long to import as this whole package

    loader = _Loader()
    core = loader.load("builtin", "smolrecipes", version("smolrecipes"), _builtin)
    return Registry([core, *map(loader.entry, _chosen())])


def _builtin() -> Any:
    from smolrecipes import builtin

    return builtin


def _chosen() -> list[EntryPoint]:
    """The entry points of our group, or those that SMOLRECIPES_PLUGINS names (by entry point or distribution)."""
    from importlib.metadata import entry_points

    found = sorted(entry_points(group="smolrecipes"), key=lambda entry: (_distribution(entry)[0], entry.name))
    wanted = os.environ.get("SMOLRECIPES_PLUGINS")
    if wanted is None:
        return found
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    known = {entry.name for entry in found} | {_distribution(entry)[0] for entry in found}
    for name in sorted(names - known):
        raise RecipeError(f"SMOLRECIPES_PLUGINS names '{name}', which is not installed{nearest(name, known)}")
    return [entry for entry in found if {entry.name, _distribution(entry)[0]} & names]


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else (entry.value, "?")


class _Loader:
    """Loads plugins one at a time, so that every complaint names the distribution it is about."""

    def __init__(self) -> None:
        self.manager = PluginManager("smolrecipes")
        self.manager.add_hookspecs(hookspecs)

    def entry(self, entry: EntryPoint) -> Plugin:
        return self.load(entry.name, *_distribution(entry), entry.load)

    def load(self, name: str, distribution: str, release: str, load: Callable[[], Any]) -> Plugin:
        who = f"plugin '{name}' ({distribution} {release})"
        before, start = set(sys.modules), time.perf_counter()
        try:
            module = load()
        except Exception as error:
            raise RecipeError(
                f"{who} cannot be imported: {_short(error)}; mend or uninstall it, or leave it out with "
                "SMOLRECIPES_PLUGINS=the,plugins,you,need"
            ) from error
        heavy = tuple(library for library in HEAVY if library in sys.modules and library not in before)
        if heavy:
            spent = time.perf_counter() - start
            what = f"{' and '.join(heavy)} at import time (+{spent:.1f} s)"
            warnings.warn(f"{who} imports {what}; import inside its methods instead", stacklevel=2)
        components, recipes = self._collect(who, f"{distribution}:{name}", module)
        return Plugin(name, distribution, release, components, recipes, heavy)

    def _collect(self, who: str, key: str, module: Any) -> tuple[tuple[type[Component], ...], tuple[str, ...]]:
        """What its hooks return. Each implementation is called on its own: pluggy would not say whose failed."""
        try:
            self.manager.register(module, name=key)
        except (PluginValidationError, ValueError) as error:
            raise RecipeError(f"{who} has a wrong hook: {_short(error)}") from error
        self._check_names(who, module)
        components: list[type[Component]] = []
        recipes: list[str] = []
        for caller in self.manager.get_hookcallers(module) or []:
            brought = [_call(who, impl) for impl in caller.get_hookimpls() if impl.plugin_name == key]
            hooked = caller.name[len(PREFIX) :]
            for item in (item for items in brought for item in items):
                if hooked == "recipes":
                    recipes.append(_path(who, item))
                else:
                    components.append(_component(who, HOOKED[hooked], item))
        return tuple(components), tuple(recipes)

    def _check_names(self, who: str, module: Any) -> None:
        known = [f"{PREFIX}{name}" for name in (*HOOKED, "recipes")]
        for name in dir(module):
            if not name.startswith("smolrecipes_"):
                continue
            if name not in known:
                raise RecipeError(f"{who}: there is no hook '{name}'{nearest(name, known)}")
            if self.manager.parse_hookimpl_opts(module, name) is None:
                raise RecipeError(f"{who}: mark {name} with @hookimpl; as it is, nothing calls it")
        try:  # whatever is marked @hookimpl under any other name
            self.manager.check_pending()
        except PluginValidationError as error:
            raise RecipeError(f"{who}: {_short(error)}{nearest(str(error).split(chr(39))[1], known)}") from error


def _call(who: str, impl: HookImpl) -> list[Any]:
    function: Any = impl.function
    try:
        return list(function())
    except Exception as error:
        raise RecipeError(f"{who}: {impl.function.__name__} fails: {_short(error)}") from error


def _component(who: str, kind: str, item: Any) -> type[Component]:
    if not (isinstance(item, type) and issubclass(item, KINDS[kind])):
        shown = item.__name__ if isinstance(item, type) else repr(item)
        raise RecipeError(f"{who} registers {shown} as {kind}, but it is not a subclass of {KINDS[kind].__name__}")
    return item


def _path(who: str, item: Any) -> str:
    if not (isinstance(item, str) and all(part.isidentifier() for part in item.split("."))):
        raise RecipeError(f"{who} registers {item!r} as a recipe; give its import path, such as 'acme.recipes.chat'")
    return item


def _short(error: BaseException) -> str:
    """An exception on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
