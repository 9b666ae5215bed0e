"""Overrides that make a recipe, and the recipes that it builds on, small."""

from __future__ import annotations

from collections.abc import Iterator

from smolrecipes import Recipe, Trained, load_recipe

TINY = {"hidden": 32, "heads": 2, "layers": 1}
"""What makes a new model small."""
SHORT = (
    "validation=4",
    "training.steps=2",
    "training.global_batch_size=2",
    "decoding.max_new_tokens=4",
)


def stages(recipe: Recipe, prefix: str = "") -> Iterator[tuple[str, Recipe]]:
    """A recipe and those it builds on, each with the option path that leads to it."""
    yield prefix, recipe
    for path, part in (("model", recipe.model), ("objective.teacher", getattr(recipe.objective, "teacher", None))):
        if isinstance(part, Trained):
            yield from stages(part.recipe, f"{prefix}{path}.recipe.")


def small(recipe: Recipe) -> Iterator[str]:
    """What makes a recipe's own stage small."""
    fresh = not isinstance(recipe.model, Trained)
    held = "data.data" if hasattr(recipe.data, "data") else "data"  # rows that others are made of
    yield f"{held}.rows={60 if fresh else 24}"
    yield from (f"model.{name}={size}" for name, size in TINY.items() if fresh and hasattr(recipe.model, name))
    if hasattr(recipe.tokenizer, "vocab_size"):
        yield f"tokenizer.vocab_size={1500 if 'functions' in repr(recipe) else 300}"  # functions are long
    if recipe.adapter is not None:
        yield "adapter.r=2"


def overrides(name: str) -> list[str]:
    """What makes a whole chain small, as on the command line."""
    found = stages(load_recipe(name))
    return [f"{prefix}{change}" for prefix, stage in found for change in (*small(stage), *SHORT)]
