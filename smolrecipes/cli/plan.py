"""`smolrecipes plan`: sizes and a vocabulary for a budget of parameters, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from smolrecipes.component import Component
from smolrecipes.errors import RecipeError


def command(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="An architecture's name: llama, bert, t5.")],
    budget: Annotated[str, typer.Argument(metavar="BUDGET", help="Parameters: 10M, 300_000.")],
    vocabulary: Annotated[int, typer.Option(metavar="SIZE", help="The tokenizer's, where there is one.")] = 0,
    tokens: Annotated[int, typer.Option(metavar="COUNT", help="How many the data has, roughly.")] = 0,
) -> None:
    """Balanced sizes for a new model, with the reason, and the lines of a recipe that ask for them."""
    from smolrecipes.architectures.scratch import Scratch
    from smolrecipes.registry import registry
    from smolrecipes.tokenizers.byte_bpe import ByteBPE

    found = registry().find("architecture", family)
    if not issubclass(found, Scratch):
        raise RecipeError(f"{family}: {found.__name__} brings its own sizes; plan is for a model from scratch")
    made = found.plan(budget, vocabulary or None, tokens or None)
    lines: dict[str, Component] = {"model": made.model}
    if not vocabulary:
        lines["tokenizer"] = ByteBPE(vocab_size=made.vocabulary).replace(specials=found.specials)
    typer.echo(f"{made.why}.\n")
    for name, part in lines.items():
        typer.echo(f"    {name}={part!r},")
