"""Packages that only some steps need."""

from __future__ import annotations

from importlib.util import find_spec

from smolrecipes.errors import RecipeError


def needs(package: str, who: str) -> None:
    """RecipeError where a package is not installed."""
    if find_spec(package) is None:
        raise RecipeError(f"{who} needs {package}, which is not installed: pip install 'smolrecipes[data]'")
