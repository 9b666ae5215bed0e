"""Where a run came from: hashes, versions, the command."""

from __future__ import annotations

import hashlib
import itertools
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.console import say
from smolrecipes.errors import RecipeError
from smolrecipes.files import write_text
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.recipe import Recipe

Pipelines = Sequence[Sequence[Mapping[str, Any]]]
"""Of each pipeline its steps, as `cards.trail.made` tells them."""
PACKAGES = ("smolrecipes", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")


def lineage(recipe: Recipe, command: str) -> dict[str, Any]:
    """Fingerprints of the recipe and its parts, the code's versions, and how it was started."""
    return {
        "fingerprint": recipe.fingerprint(),
        "parts": {name: part.fingerprint() for name, part in recipe.children()},
        "command": hidden(command or " ".join(sys.argv)),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def read(file: Path) -> dict[str, Any]:
    """A stored lineage, or RecipeError for one that is damaged."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        raise RecipeError(
            f"{file} is damaged, so nobody knows what was trained in {file.parent}; move that folder away, or train with "
            "--runs in another one"
        ) from None
    return found


def write(file: Path, recipe: Recipe, command: str, base: str = "") -> None:
    """The lineage of a run that begins; of one that goes on what it began with stays, and each going on is added.

    base: the folder of the run whose model it begins with, beside its own.
    """
    now = lineage(recipe, command) | ({"base": base} if base else {})
    before = read(file) if file.exists() else {}
    if before.get("fingerprint") == now["fingerprint"] and "started" in before:
        again = {name: now[name] for name in ("started", "command", "packages")}
        now = {**before, "resumed": [*before.get("resumed", []), again]}
        others = [f"{name} {v}, not {before['packages'].get(name)}" for name, v in again["packages"].items()
                  if before.get("packages", {}).get(name, v) != v]  # fmt: skip
        if others:
            say(f"  goes on with {', '.join(others)}")
    write_text(file, json.dumps(now, indent=2))


def check_tokenizer(file: Path, tokenizer: PreTrainedTokenizerBase, resumes: bool) -> None:
    """Adds the tokenizer that a run begins with; RecipeError where a run that resumes has another one now.

    It is built anew each time, and another version of `tokenizers` may learn another from the same rows.
    """
    from smolrecipes.prepare import tokenizer_text

    if not tokenizer.is_fast:  # one without a Rust side is never learned, and its text names the folder that it is from
        return
    found = read(file)
    now = {
        "sha256": hashlib.sha256(tokenizer_text(tokenizer).encode()).hexdigest(),
        "tokenizers": version("tokenizers"),
    }
    then = found.get("tokenizer", now) if resumes else now
    if then["sha256"] != now["sha256"]:
        raise RecipeError(
            f"{file.parent}: the tokenizer learned now is not the one that this run began with (tokenizers "
            f"{then['tokenizers']} then, {now['tokenizers']} now): --fresh starts over"
        )
    write_text(file, json.dumps({**found, "tokenizer": then}, indent=2))


def check_data(file: Path, now: Pipelines, resumes: bool) -> None:
    """Adds what became of the rows that a run begins with; RecipeError where a run that resumes has others now."""
    if not now:
        return
    found = read(file)
    then = found.get("data", now) if resumes else now
    if step := other_step(then, now):
        raise RecipeError(
            f"{file.parent}: the rows made now are not those that this run began with, from {step} on, of which the code, a "
            "package or the files read are another version: install what was there, or --fresh starts over"
        )
    write_text(file, json.dumps({**found, "data": then}, indent=2))


def other_step(then: Pipelines, now: Pipelines) -> str:
    """The first step, or source, of prepared data that did not make what it makes now; "" where there is none."""
    pairs = zip(itertools.chain(*then), itertools.chain(*now))
    return next((str(new["step"]) for old, new in pairs if old["key"] != new["key"]), "")
