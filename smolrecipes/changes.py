"""What makes a run another one than the newest of the same name: options, or the content of data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smolrecipes.recipe import Recipe

MOST = 5
"""Differences that are listed."""


def changes(recipe: Recipe, folder: Path) -> str:
    """How the recipe differs from the newest run beside `folder` that has its name; nothing where there is none."""
    from smolrecipes.serialize import dumps

    name = folder.name.rpartition("-")[0]
    others = [path for path in folder.parent.glob(f"{name}-????????/lineage.json") if path.parent != folder]
    if not others:
        return ""
    last = max(others, key=lambda path: path.stat().st_mtime)
    try:
        stored = json.loads((last.parent / "recipe.json").read_text(encoding="utf-8"))
        parts = json.loads(last.read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"another run than {last.parent.name}, whose recipe cannot be read any more"
    then, now = _flat(stored), _flat(json.loads(dumps(recipe)))
    differ = [
        f"{path} {_shown(then.get(path))} → {_shown(now.get(path))}"
        for path in {**now, **then}
        if then.get(path) != now.get(path)
    ]
    told = {one.split(".")[0].split(" ")[0] for one in differ}
    content = [part for part, child in recipe.children() if part not in told and parts.get(part) != child.fingerprint()]
    differ += [f"{part} has other content" for part in content]
    more = f" and {len(differ) - MOST} more" if len(differ) > MOST else ""
    return f"another run than {last.parent.name}: {', '.join(differ[:MOST])}{more}" if differ else ""


def _flat(given: Any, path: str = "") -> dict[str, Any]:
    """Every option by its dotted name; what says nothing about the recipe is left out."""
    if not isinstance(given, dict):
        return {path: given}
    found: dict[str, Any] = {}
    for name, value in given.items():
        if path or name not in ("smolrecipes", "plugins", "title"):
            found |= _flat(value, f"{path}.{name}".lstrip(".").removesuffix(".use"))
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
