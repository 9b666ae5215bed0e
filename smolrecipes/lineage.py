"""Where a run came from: hashes, versions, the command."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolrecipes.recipe import Recipe

PACKAGES = ("smolrecipes", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")


def lineage(recipe: Recipe, command: str) -> dict[str, Any]:
    """Fingerprints of the recipe and its parts, the code's versions, and how it was started."""
    return {
        "fingerprint": recipe.fingerprint(),
        "parts": {name: part.fingerprint() for name, part in recipe.children()},
        "command": command or " ".join(sys.argv),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
    }
