"""What a recipe's own numbers say: how much of the data is seen, whether the rate and the steps make sense."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING

from smolrecipes.check.finding import Finding

if TYPE_CHECKING:
    from smolrecipes.check.subject import Subject

RATES = {"adamw": 2e-2, "adamw_8bit": 2e-2, "muon": 0.2}
"""The rate from which on an optimizer diverges as a rule."""
PASSES = 20
SEEN = 0.5


def training(subject: Subject) -> Iterator[Finding]:
    """The options of `training` beside the number of rows."""
    options, rows = subject.recipe.training, len(subject.rows)
    per_pass = None if options.global_batch_tokens else ceil(rows / options.global_batch_size)
    steps = options.steps or (ceil((options.epochs or 1) * per_pass) if per_pass and not options.tokens else None)
    if steps and per_pass and not _blocks(subject):
        seen = steps / per_pass
        if seen < SEEN:
            count = steps * options.global_batch_size
            yield Finding("recipe-part-seen", f"{steps:,} steps see {count:,} of {rows:,} rows ({seen:.0%})")
        if seen > PASSES:
            yield Finding("recipe-many-passes", f"every row is seen {seen:,.0f} times")
    if options.warmup > 0.5:
        yield Finding("recipe-warmup", f"training.warmup={options.warmup:g}: the rate rises for most of the run")
    if steps and options.evaluate_every and options.evaluate_every >= steps:
        what = f"training.evaluate_every={options.evaluate_every:,} is no less than the {steps:,} steps"
        yield Finding("recipe-never-evaluated", what)
    if subject.recipe.validation == 1 and subject.held_out is not None and len(subject.held_out) == 1:
        yield Finding("recipe-one-held-out", f"validation=1 holds out one row of {rows + 1:,}")
    if options.learning_rate >= RATES[options.optimizer]:
        yield Finding("recipe-rate", f"training.learning_rate={options.learning_rate:g} with {options.optimizer}")


def _blocks(subject: Subject) -> bool:
    """Whether rows are joined to blocks, so that a batch is not of rows."""
    from smolrecipes.kinds import Objective

    return type(subject.objective).arrange is not Objective.arrange


def plugins() -> Iterator[Finding]:
    """Plugins that import what takes seconds when they are found."""
    from smolrecipes.registry import registry

    for plugin in registry().plugins():
        if plugin.heavy:
            yield Finding(
                "plugin-heavy", f"plugin '{plugin.name}' imports {' and '.join(plugin.heavy)} when it is found"
            )
