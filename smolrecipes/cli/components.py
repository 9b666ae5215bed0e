"""What eval and export have in common: components by name, with options by NAME.OPTION=VALUE."""

from __future__ import annotations

from typing import Any

from smolrecipes.errors import RecipeError, nearest


def given(classes: list[Any], texts: list[str], what: str, example: str) -> dict[str, dict[str, Any]]:
    """The options that the command line gives, by the name of the component. what: evaluators, exporters."""
    from smolrecipes.values import parsed

    found: dict[str, dict[str, Any]] = {cls.name: {} for cls in classes}
    for text in texts:
        path, separator, value = text.partition("=")
        name, _, option = path.partition(".")
        if not separator or not option:
            raise RecipeError(f"{what} take NAME.OPTION=VALUE, as in {example}, not '{text}'")
        cls = next((cls for cls in classes if cls.name == name), None)
        if cls is None:
            raise RecipeError(f"{path}: '{name}' is not among the {what} ({', '.join(found) or 'none'})")
        if option not in cls.options():
            raise RecipeError(f"{path}: {cls.__name__} has no option '{option}'{nearest(option, cls.options())}")
        found[name][option] = parsed(cls, option, value, path)
    return found
