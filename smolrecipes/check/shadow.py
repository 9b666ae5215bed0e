"""A recipe's name that means the installed recipe, while a file of this name lies here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smolrecipes.check.finding import Finding


def shadowed(source: str) -> Iterator[Finding]:
    """source: what was given to the command line."""
    from smolrecipes.load import load_recipe
    from smolrecipes.registry import registry

    if source not in registry().recipes():
        return
    for file in (Path(f"{source}.py"), Path("recipes", f"{source}.py")):
        if file.is_file() and load_recipe(file).fingerprint() != load_recipe(source).fingerprint():
            yield Finding("recipe-shadows", f"'{source}' is not {file}, which differs from it", str(file))
