"""What a run keeps of the preparation of its data: the card beside it, and a summary in its lineage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.files import write_text
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.cards.card import Card, Pipeline
    from smolrecipes.recipe import Recipe


def leave(folder: Path, recipe: Recipe, splits: dict[str, Dataset], said: tuple[str, ...]) -> None:
    """Writes data.md and data.html into a run's folder and `data` into its lineage.json, where rows went through steps."""
    from smolrecipes import lineage
    from smolrecipes.cards.card import card, has_steps
    from smolrecipes.cards.markdown import markdown
    from smolrecipes.cards.page import html
    from smolrecipes.kinds import Data

    sources = [data for data in (recipe.data, recipe.validation) if isinstance(data, Data)]
    if not any(map(has_steps, sources)):
        return
    about = [sentence for sentence in said if sentence.startswith(("data: ", "validation: "))]
    made = card(sources, splits, f"Data of {folder.name}", about)
    write_text(folder / "data.md", markdown(made))
    write_text(folder / "data.html", html(made))
    known = {**lineage.read(folder / "lineage.json"), "data": summary(made)}
    write_text(folder / "lineage.json", json.dumps(known, indent=2))


def summary(card: Card) -> list[list[dict[str, Any]]]:
    """Of each pipeline its steps: rows in and out, changed, dropped, and the key of what came out."""
    return [_steps(pipeline) for pipeline in card.pipelines]


def _steps(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [
        {
            "step": hidden(stage.step),
            "rows_in": stage.report.rows_in,
            "rows_out": stage.report.rows_out,
            "changed": stage.report.changed,
            "dropped": stage.report.dropped,
            "key": stage.folder.name.rpartition("-")[2],
        }
        for stage in pipeline.stages
    ]
