"""Functions of one's own as options: named, so that they can be stored, and counted by what they do."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable
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
    """What it does: the code of the file that it is written in, but for comments and the recipe."""
    written: CodeType = inspect.unwrap(function).__code__
    try:
        body = ast.parse(Path(written.co_filename).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):  # defined interactively: there is no file
        return repr(_compiled(written))
    return "".join(ast.dump(part) for part in body if not _is_recipe(part))


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


def _is_recipe(part: ast.stmt) -> bool:
    """Whether it is `recipe = ...`, of which the components count by themselves."""
    targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "recipe" for target in targets)


def _compiled(code: CodeType) -> list[Any]:
    inner = [_compiled(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return [code.co_code.hex(), code.co_names, inner]
