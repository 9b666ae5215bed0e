"""Labelled texts as conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data

if TYPE_CHECKING:
    from datasets import Dataset


class Chats(Data, name="chats"):
    """What a text is labelled with becomes what the assistant answers to it: a model that writes learns to classify."""

    data: Data | str = option(kw_only=False)
    """Labelled rows, or pairs of a source and its target."""
    system: str = ""
    """What the system message says, none when empty."""
    answers: dict[str, str] = option(factory=dict)
    """What the assistant says for a label, where it is not the label itself: {"1": "positive"}."""

    def load(self) -> Dataset:
        from smolrecipes.data.rows import each, make, row_type

        if isinstance(self.data, str):
            raise RecipeError(
                f"chats.data: a recipe finds out what '{self.data}' is; elsewhere give a component, as Files(...)"
            )
        rows = self.data.load()
        if (kind := row_type(rows)) not in ("labelled", "pair") or "texts" in rows.column_names:
            raise RecipeError(f"chats: takes rows of one text and its label, or of source and target, not {kind} rows")
        opening = [{"role": "system", "content": self.system}] if self.system else []
        told = rows.info.description
        return make(
            "messages", (self._chat(row, opening) for row in each(rows)), f"{told}, as conversations" if told else ""
        )

    def _chat(self, row: dict[str, Any], opening: list[dict[str, str]]) -> dict[str, Any]:
        from smolrecipes.data.rows import whence

        asked, answer = (row["text"], row["label"]) if "text" in row else (row["source"], row["target"])
        said = self.answers.get(str(answer), str(answer))
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
        return {"messages": [*opening, *turns], "tools": None, **whence(row)}
