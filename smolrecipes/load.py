"""A recipe file, an import path, a stored recipe.json or a name -> Recipe."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from smolrecipes.component import Component
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Data
from smolrecipes.recipe import Recipe

SHIPPED = "smolrecipes.recipes."
_siblings: set[str] = set()
"""Modules that recipe files imported from their own folder: read anew for the next recipe file."""


@dataclass(frozen=True)
class Loaded:
    """A recipe, where it is from, and the recipes it was derived from, by name."""

    recipe: Recipe
    origin: str
    bases: dict[str, Recipe] = field(default_factory=dict)


def load_recipe(source: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe in a file, a `package.module[:attribute]`, a recipe.json or run folder, or of a registered name."""
    from smolrecipes.override import override

    recipe = load(source).recipe
    overrides = list(overrides)
    return override(recipe, overrides) if overrides else recipe


def load(source: str | Path) -> Loaded:
    """As `load_recipe`, with where it was found."""
    from smolrecipes.named import DATA, run_at

    text = str(source)
    path = Path(text).expanduser()
    if path.suffix == ".py":
        return _from_file(path)
    folder = run_at(path)
    if folder.is_dir() or path.suffix == ".json":
        return _from_json(folder / "recipe.json" if folder.is_dir() else path)
    if path.suffix.lower() in DATA:
        raise RecipeError(_is_data(path))
    if text in _installed():
        return _from_module(_installed()[text], "recipe", text)
    module, _, attribute = text.partition(":")
    if "." in module and all(part.isidentifier() for part in module.split(".")):
        return _from_module(module, attribute or "recipe", text)
    known = [*_installed(), *_recipe_files(Path()), *_recipe_files(Path("recipes"))]
    names = ", ".join(_installed()) or "none"
    raise RecipeError(
        f"no recipe named '{text}'{nearest(text, known)} (installed: {names}; or give a file, as mine.py)"
    )


def _installed() -> dict[str, str]:
    """The import path of each registered recipe, by its name."""
    from smolrecipes.registry import registry

    return registry().recipes()


def _from_json(path: Path) -> Loaded:
    from smolrecipes.serialize import loads

    if not path.is_file():
        raise RecipeError(f"{path}: there is no such stored recipe; a run's folder has a recipe.json")
    text = path.read_text(encoding="utf-8")
    if text.lstrip()[:1] == "[":
        raise RecipeError(_is_data(path))
    return Loaded(loads(text, str(path)), str(path))


def _is_data(path: Path) -> str:
    from smolrecipes.named import TEXTS

    fitting = "pretrain_clm" if path.suffix.lower() in TEXTS else "sft_chat"
    return f"{path} is data; name a recipe to train on it, as in 'smolrecipes run {fitting} data={path}'"


def _from_module(name: str, attribute: str, shown: str) -> Loaded:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise RecipeError(f"{shown}: there is no module '{error.name}'{_nearest_module(name)}") from None
        raise RecipeError(f"{shown}: {_located(error, None)}") from error
    except (Exception, SystemExit) as error:
        raise RecipeError(f"{shown}: {_located(error, None)}") from error
    return _taken(module, attribute, shown, name.rpartition(".")[2])


def _nearest_module(name: str) -> str:
    return nearest(name.rpartition(".")[2], _installed())


def data_in(source: str | Path) -> Data | None:
    """The rows that a file defines as `data`, where it defines no recipe."""
    path = Path(source).expanduser()
    module = _module_in(path)
    found = None if hasattr(module, "recipe") else getattr(module, "data", None)
    if isinstance(found, Data):
        return found
    rows = [name for name, value in vars(module).items() if isinstance(value, Data)]
    if rows and not any(isinstance(value, Recipe) for value in vars(module).values()):
        raise RecipeError(f"{source}: it defines rows as {', '.join(rows)}; call them `data`")
    return None


def _from_file(path: Path) -> Loaded:
    module = _module_in(path)
    _warn_of_shadows(path.resolve())
    return _taken(module, "recipe", _short_path(path.resolve()), path.stem)


def _module_in(path: Path) -> ModuleType:
    """What a file defines, read anew."""
    if not path.is_file():
        here = path.parent if path.parent.is_dir() else Path()
        known = [*_recipe_files(here), *_recipe_files(here / "recipes"), *_installed()]
        guess = nearest(path.as_posix(), known) or nearest(path.stem, known)
        raise RecipeError(f"{path}: there is no such file{guess}")
    import hashlib

    path = path.resolve()
    key = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"_recipe_{path.stem if path.stem.isidentifier() else 'file'}_{key}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: the annotations of its classes are looked up there
    try:
        with _importable(path.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RecipeError(_located(error, path)) from error
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets a recipe file import its neighbours, always as they are now."""
    for name in _siblings:
        sys.modules.pop(name, None)
    _siblings.clear()
    importlib.invalidate_caches()
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).parent == folder and "." not in name and not name.startswith("_recipe_"):
                _siblings.add(name)


def _taken(module: ModuleType, attribute: str, shown: str, stem: str) -> Loaded:
    """The module's recipe with its title, and the other recipes that its code can see."""
    recipes = {name: value for name, value in vars(module).items() if isinstance(value, Recipe)}
    if attribute not in vars(module):
        raise RecipeError(f"{shown}: there is no `{attribute}` in it{_instead(module, attribute, list(recipes))}")
    recipe = vars(module)[attribute]
    if not isinstance(recipe, Recipe):
        how = f"not a Recipe; write {attribute} = Recipe(...)"
        raise RecipeError(f"{shown}: `{attribute}` is {_article(recipe)}, {how}")
    title = stem if attribute == "recipe" else attribute
    bases = {_title_of(value) or name: value for name, value in recipes.items() if value is not recipe}
    return Loaded(_titled(recipe, title), shown, bases)


def _instead(module: ModuleType, attribute: str, recipes: list[str]) -> str:
    """What to do about a module that has no such recipe."""
    if attribute != "recipe" and recipes:
        return nearest(attribute, recipes) or f"; it has {', '.join(recipes)}"
    if recipes:
        return f"; it has {', '.join(recipes)}: call the one to run `recipe`"
    return f"; it defines {', '.join(_defined(module)) or 'nothing'}; write {attribute} = Recipe(...)"


def _defined(module: ModuleType) -> list[str]:
    """The names that a module makes itself, without those it only imports."""
    own = (n for n, value in vars(module).items() if getattr(value, "__module__", module.__name__) == module.__name__)
    return [name for name in own if not name.startswith("_") and not isinstance(vars(module)[name], ModuleType)]


def _article(value: Any) -> str:
    name = value.__name__ if isinstance(value, type) else type(value).__name__
    return f"the class {name}" if isinstance(value, type) else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _titled(recipe: Recipe, title: str) -> Recipe:
    """The recipe with a title, and the base recipes inside it with those of the modules they are in."""
    inner = _inner_titled(recipe)
    assert isinstance(inner, Recipe)
    return inner if inner.title else inner.replace(title=title)


def _inner_titled(component: Component) -> Component:
    changes: dict[str, Any] = {}
    for name in component.options():
        value = getattr(component, name)
        if isinstance(value, Recipe):
            changes[name] = _titled(value, _title_of(value))
        elif isinstance(value, Component) and (new := _inner_titled(value)) is not value:
            changes[name] = new
    return component.replace(**changes) if changes else component


def _title_of(recipe: Recipe) -> str:
    """The name of the module whose `recipe` this very object is, or else of the variable that holds it."""
    variable = ""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is recipe and name == "recipe":
                return Path(module.__file__ or name).stem
            if value is recipe:
                variable = variable or name
    return variable


def _located(error: BaseException, path: Path | None) -> str:
    """`mine.py:3: what went wrong`: the line is the innermost one in a recipe file."""
    if isinstance(error, SyntaxError):
        line = f": {error.text.strip()}" if error.text else ""
        return f"{_short_path(Path(error.filename or '?'))}:{error.lineno}: {error.msg}{line}"
    import traceback

    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_recipe_file(frame.filename, path)]
    where = f"{_short_path(Path(frames[-1].filename))}:{frames[-1].lineno}: " if frames else ""
    what = " ".join(str(error).split())
    if (near := _nearest_import(error)) and (written := getattr(error, "path", None)):
        what = what.removesuffix(f" ({written})")
    if isinstance(error, SystemExit) and not isinstance(error.code, str):
        return f"{where}it ends by sys.exit({'' if error.code is None else error.code}) before there is a recipe"
    if isinstance(error, (RecipeError, SystemExit)):
        return f"{where}{what}"
    return f"{where}{type(error).__name__}: {what}{near}"


def _is_recipe_file(filename: str, path: Path | None) -> bool:
    if path is not None and Path(filename).parent == path.parent:
        return True
    package = Path(__file__).parent
    outside = package not in Path(filename).parents and not filename.startswith("<")
    return outside and Path(importlib.__file__).parent not in Path(filename).parents if path is None else False


def _nearest_import(error: BaseException) -> str:
    """The nearest name in a module that does not have the one imported from it."""
    wanted = getattr(error, "name_from", None)
    module = sys.modules.get(getattr(error, "name", None) or "")
    if not isinstance(error, ImportError) or module is None:
        return ""
    wanted = wanted or str(error).split("'")[1]
    return nearest(wanted, getattr(module, "__all__", None) or [name for name in dir(module) if name[0] != "_"])


def _short_path(path: Path) -> str:
    """The path from here when it lies below, as people write it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _recipe_files(folder: Path) -> list[str]:
    return sorted(item.as_posix() for item in folder.glob("*.py") if not item.name.startswith("_"))


def _warn_of_shadows(path: Path) -> None:
    """A shipped recipe that is imported although an edited copy lies beside the file: the copy would have no effect."""
    for name in sorted({name for name, _ in shipped_imports(path.read_text(encoding="utf-8"))}):
        beside = path.parent / f"{name}.py"
        shipped = Path(sys.modules[SHIPPED + name].__file__ or "") if SHIPPED + name in sys.modules else None
        if shipped and beside.is_file() and beside != shipped.resolve() and beside.read_bytes() != shipped.read_bytes():
            text = f"{path.name} imports the shipped {SHIPPED}{name}, not the edited {beside.name} beside it"
            warnings.warn(f"{text}; write 'from {name} import recipe' to use that one", stacklevel=2)


def shipped_imports(text: str) -> list[tuple[str, ast.Import | ast.ImportFrom]]:
    """The X of every `smolrecipes.recipes.X` that a file's text imports, with the statement."""
    found: list[tuple[str, ast.Import | ast.ImportFrom]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and f"{node.module}." == SHIPPED:
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(SHIPPED):
            found.append((str(node.module)[len(SHIPPED) :].split(".")[0], node))
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith(SHIPPED)]
            found += [(name[len(SHIPPED) :].split(".")[0], node) for name in names]
    return found
