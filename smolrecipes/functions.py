"""Functions of one's own as options: named, so that they can be stored, and counted by what they do."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from smolrecipes.errors import RecipeError, nearest

IN_A_RECIPE_FILE = re.compile(r"_recipe_(.+)_[0-9a-f]{8}")


def function_of(given: Any, who: str) -> Callable[..., Any]:
    """A function that was given, or is named as `module:name`; RecipeError where it has no name to be found by."""
    function = _named(given, who) if isinstance(given, str) else given
    if not inspect.isfunction(function) or "<" in function.__qualname__:
        shown = getattr(function, "__qualname__", type(function).__name__)
        raise RecipeError(
            f"{who}: give a function that a module defines with a name, not {shown}: "
            "a recipe is stored with the name, and what a lambda or an inner function holds cannot be seen"
        )
    return function


def reference(function: Callable[..., Any]) -> str:
    """`module:name`; the module of a recipe file is called as the file is."""
    module = IN_A_RECIPE_FILE.sub(r"\1", function.__module__)
    return f"{module}:{function.__qualname__}"


def source_of(function: Callable[..., Any]) -> str:
    """What it does: the code of the file that it is written in."""
    written = inspect.unwrap(function)
    try:
        return code_of(Path(written.__code__.co_filename).read_text(encoding="utf-8"), written.__globals__)
    except (OSError, SyntaxError, ValueError):  # defined interactively: there is no file
        return repr(_compiled(written.__code__))


def code_of(text: str, names: Mapping[str, Any]) -> str:
    """The code of a module but for comments, and for the recipes and components that its `names` stand for: these count by themselves."""
    return "".join(ast.dump(part) for part in ast.parse(text).body if not _counts_itself(part, names))


def _named(text: str, who: str) -> Any:
    module, _, name = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise RecipeError(f"{who}: write a function as module:name, as in 'rules:long_enough', not {text!r}")
    try:
        found = vars(importlib.import_module(module))
    except Exception as error:
        raise RecipeError(f"{who}: {module} cannot be imported: {type(error).__name__}: {error}") from error
    if name not in found:
        functions = [one for one, value in found.items() if inspect.isfunction(value)]
        raise RecipeError(f"{who}: {module} has no function '{name}'{nearest(name, functions)}")
    return found[name]


def _counts_itself(part: ast.stmt, names: Mapping[str, Any]) -> bool:
    """Whether it is `recipe = Recipe(...)`, `rows = Files(...)` and the like, or has not been run yet."""
    targets = part.targets if isinstance(part, ast.Assign) else [part.target] if isinstance(part, ast.AnnAssign) else []
    given = [target.id for target in targets if isinstance(target, ast.Name)]
    return any(name not in names or _is_component(names[name]) for name in given)


def _is_component(value: Any) -> bool:
    return hasattr(value, "identity") and not isinstance(value, type)


def _compiled(code: CodeType) -> list[Any]:
    inner = [_compiled(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return [code.co_code.hex(), code.co_names, inner]
