"""DropSameAnswers: preferences between two answers that are the same teach nothing."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform

ALIKE = {
    "case": "chosen and rejected are the same but for case and spacing",
    "spacing": "chosen and rejected are the same but for spacing",
    "exact": "chosen and rejected are the same",
}


class DropSameAnswers(Transform, name="drop_same_answers"):
    """Drops preferences whose chosen and rejected answer are the same; texts, reasoning and calls are compared."""

    rows: ClassVar[tuple[str, ...]] = ("preference",)

    alike: Literal["case", "spacing", "exact"] = option(default="case", kw_only=False)
    """What still counts as the same: other case and spacing; other spacing, where case matters as in code; or nothing."""

    def treat(self, row: dict[str, Any]) -> Outcome:
        for alike, reason in reversed(ALIKE.items()):
            if _form(row["chosen"], alike) == _form(row["rejected"], alike):
                return Outcome(None, (reason,))
            if alike == self.alike:
                break
        return Outcome(row)


def _form(turns: list[dict[str, Any]], alike: str) -> list[Any]:
    """What is compared of an answer."""

    def text(value: Any) -> str:
        words = str(value or "")
        words = words if alike == "exact" else " ".join(words.split())
        return words.casefold() if alike == "case" else words

    def calls(turn: dict[str, Any]) -> str:
        return json.dumps([call["function"] for call in turn.get("tool_calls") or ()], sort_keys=True)

    return [
        (turn["role"], text(turn.get("content")), text(turn.get("reasoning_content")), calls(turn)) for turn in turns
    ]
