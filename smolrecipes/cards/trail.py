"""What a run keeps of the preparation of its data: the card beside it, and what its lineage holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.files import write_text
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.cards.card import Card
    from smolrecipes.kinds import Data
    from smolrecipes.pipeline.stages import Stage
    from smolrecipes.recipe import Recipe


def leave(folder: Path, recipe: Recipe, splits: dict[str, Dataset], said: tuple[str, ...]) -> None:
    """Writes data.md and data.html into a run's folder, where rows went through steps."""
    from smolrecipes.cards.card import card, has_steps
    from smolrecipes.cards.markdown import markdown
    from smolrecipes.cards.page import html
    from smolrecipes.data.files import together

    sources = _sources(recipe)
    if not any(map(has_steps, sources)):
        return
    about = [sentence for sentence in said if sentence.startswith(("data: ", "validation: "))]
    with together(sources):
        about_rows = card(sources, splits, f"Data of {folder.name}", about)
    write_text(folder / "data.md", markdown(about_rows))
    write_text(folder / "data.html", html(about_rows))


def made(recipe: Recipe) -> list[list[dict[str, Any]]]:
    """As `summary`, of all data of a recipe: which rows were made and by what; empty where there are no steps."""
    from smolrecipes.cards.card import lines
    from smolrecipes.data.files import together

    sources = _sources(recipe)
    with together(sources):
        return [_steps(line) for data in sources for line in lines(data)]


def summary(card: Card) -> list[list[dict[str, Any]]]:
    """Of each pipeline its steps: rows in and out, changed, dropped and why, and the key of what came out."""
    return [
        [step | {"reasons": stage.report.reasons} for step, stage in zip(_steps(line.stages), line.stages)]
        for line in card.pipelines
    ]


def _sources(recipe: Recipe) -> list[Data]:
    from smolrecipes.kinds import Data

    return [data for data in (recipe.data, recipe.validation) if isinstance(data, Data)]


def _steps(line: Sequence[Stage]) -> list[dict[str, Any]]:
    return [
        {
            "step": hidden(stage.step),
            "rows_in": stage.report.rows_in,
            "rows_out": stage.report.rows_out,
            "changed": stage.report.changed,
            "dropped": stage.report.dropped,
            "key": stage.folder.name.rpartition("-")[2],
        }
        for stage in line
    ]
