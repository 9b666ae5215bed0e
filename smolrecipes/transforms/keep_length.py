"""KeepLength: rows that are too short or too long are dropped."""

from __future__ import annotations

from typing import Any, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Positive
from smolrecipes.transforms.texts import whole


class KeepLength(Transform, name="keep_length"):
    """Keeps rows of a certain length, all their texts together."""

    least: Positive | None = option(default=None, kw_only=False)
    """Shorter rows are dropped."""
    most: Positive | None = option(default=None, kw_only=False)
    """Longer rows are dropped."""
    unit: Literal["characters", "words", "bytes"] = "characters"
    """What is counted: code points, what stands between white space, or bytes of UTF-8."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least is None and self.most is None:
            raise RecipeError("KeepLength: it keeps every row; set least or most, as in KeepLength(least=200)")
        if self.least and self.most and self.least > self.most:
            raise RecipeError(f"KeepLength: no length is at least {self.least} and at most {self.most}; swap the two")

    def treat(self, row: dict[str, Any]) -> Outcome:
        length = self._length(whole(row))
        if self.least and length < self.least:
            return Outcome(None, (f"fewer than {self.least:,} {self.unit}",))
        if self.most and length > self.most:
            return Outcome(None, (f"more than {self.most:,} {self.unit}",))
        return Outcome(row)

    def _length(self, text: str) -> int:
        if self.unit == "words":
            return len(text.split())
        return len(text) if self.unit == "characters" else len(text.encode("utf-8", "surrogatepass"))
