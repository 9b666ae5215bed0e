"""The checks in their order: light ones of a recipe, deep ones of what it is built into, and those of any Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.cache import PLACE, kept_in
from smolrecipes.check.finding import Finding, stop
from smolrecipes.check.kept import scanned
from smolrecipes.check.labels import labels
from smolrecipes.check.recipe import plugins, training
from smolrecipes.check.subject import Subject, read, untrained
from smolrecipes.console import say
from smolrecipes.errors import RecipeError
from smolrecipes.recipe import Recipe

if TYPE_CHECKING:
    from smolrecipes.assemble import Assembly

USUAL = {"adam_beta1", "adam_beta2", "adam_epsilon"}
"""Fields of `training.hf` that are taken on trust by the light check, which imports no torch for them."""
TOLD = ("labels-none", "labels-cut", "labels-control")
"""What a run has said by then, with the counts over all rows."""


def findings(what: Any) -> list[Finding]:
    """All findings about a recipe, or about any transformers or TRL Trainer; nothing is trained.

    A recipe's model is built too, as it is before the recipes that it builds on are trained; `light` builds none.
    """
    if not isinstance(what, Recipe):
        from smolrecipes.check.trainer import trainer

        return list(trainer(what))
    found, subject = light(what)
    return found if subject is None else [*found, *deeper(subject)[0]]


def light(recipe: Recipe, cache: Path | None = None) -> tuple[list[Finding], Subject | None]:
    """What can be said without building a model, and what was looked at; None where the recipe is refused.

    cache: a folder that keeps what a scan of the rows found, where it exists.
    """
    from smolrecipes.arguments import options
    from smolrecipes.override import resolve

    found = list(plugins())
    try:
        asked = recipe.training
        if (
            set(asked.hf) - USUAL or asked.device in ("cuda", "mps") or asked.precision in ("tf32", "float16")
        ):  # this takes torch
            options(recipe, Path("runs"))
        with kept_in(cache or PLACE):
            subject = read(resolve(recipe))
        found += [*training(subject), *scanned(subject, cache), *labels(subject)]
    except RecipeError as error:
        return [*found, Finding("recipe-refused", str(error))], None
    return found, subject


def foresee(recipe: Recipe, cache: Path) -> None:
    """RecipeError where something is wrong with a recipe whose bases are not trained yet."""
    from smolrecipes.build import check_targets

    subject = read(recipe)
    check_targets(untrained(subject.recipe), subject.tokenizer)
    stop([*scanned(subject, cache), *labels(subject)])


def examine(recipe: Recipe, assembly: Assembly, cache: Path) -> None:
    """Says what may be wrong with a run that is about to begin; RecipeError where something is."""
    everything = built(recipe, assembly, cache)
    for found in everything:
        if found.level == "warning" and found.code not in TOLD:
            say(f"  warning: {found.code}: {found.sentence}")
    stop(everything)


def built(recipe: Recipe, assembly: Assembly, cache: Path) -> list[Finding]:
    """All findings about a run that is about to begin."""
    parts, trainer = assembly.parts, assembly.trainer
    objective = getattr(trainer, "objective", recipe.objective)
    subject = Subject(recipe, objective, parts.train_rows, parts.validation_rows, parts.tokenizer, trainer)
    return [*training(subject), *scanned(subject, cache), *labels(subject), *_model(subject)]


def deeper(subject: Subject) -> tuple[list[Finding], list[str]]:
    """What only the built model shows, and what a step takes of time and memory."""
    import tempfile

    from smolrecipes.assemble import assemble
    from smolrecipes.check.measure import measure
    from smolrecipes.launch import join

    join(subject.recipe.training.device)
    recipe = untrained(subject.recipe)
    with tempfile.TemporaryDirectory() as folder:
        try:
            trainer = assemble(recipe, Path(folder) / "run", Path(folder) / "cache").trainer
            found = list(_model(replace(subject, trainer=trainer)))
            return found, measure(trainer)
        except RecipeError as error:
            return [Finding("recipe-refused", str(error))], []


def _model(subject: Subject) -> Iterator[Finding]:
    from smolrecipes.check.model import disk, model, precision
    from smolrecipes.check.tokenizer import tokenizer

    trainer = subject.trainer
    other = list(tokenizer(subject))
    found = model(trainer.accelerator.unwrap_model(trainer.model), subject.tokenizer)
    yield from other
    yield from (one for one in found if not other or one.code != other[0].code)
    yield from precision(trainer)
    yield from disk(trainer)
