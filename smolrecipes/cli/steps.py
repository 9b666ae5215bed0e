"""What `smolrecipes data` prints of a recipe with steps: what became of the rows, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolrecipes.cards.card import Card, Pipeline

REASONS = 5
"""Of a step, the most frequent."""


def show(card: Card) -> None:
    """The sentences, a table for each pipeline, the reasons, and how many rows there are in the end."""
    from smolrecipes.console import say

    first = [sentence for sentence in card.said if not card.pipelines or not _of_a_step(card, sentence)]
    for sentence in first:
        say(sentence)
    for pipeline in card.pipelines:
        _steps(pipeline)
    counts = ", ".join(f"{name} {count:,}" for name, count in card.splits.items())
    say("", f"rows      {counts}; {card.kind}: {', '.join(card.columns)}")


def _of_a_step(card: Card, sentence: str) -> bool:
    """Whether the table says it as well."""
    return any(sentence in stage.said[-1:] for one in card.pipelines for stage in one.stages[1:])


def _steps(pipeline: Pipeline) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.console import say
    from smolrecipes.profile.page import listing

    head, lines = pipeline.steps()
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        first = name == "step"
        table.add_column(name, justify="left" if first else "right", overflow="fold", no_wrap=not first)
    for line in lines:
        table.add_row(*map(Text, line))
    say(table)
    for stage in pipeline.stages[1:]:
        if stage.report.reasons:
            say(f"{stage.step}: {listing(stage.report.reasons, REASONS)}")
