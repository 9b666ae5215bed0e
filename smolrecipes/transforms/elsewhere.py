"""Elsewhere: the place of a step whose code lies in a recipe file, in the recipe that a run's folder holds."""

from __future__ import annotations

from typing import Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome, Transform


class Elsewhere(Transform, name="elsewhere"):
    """A step that only a recipe file can take: the model can be asked and exported without it, rows cannot be made."""

    step: str = option(kw_only=False)
    """What it was called."""
    code: str = option(kw_only=False)
    """What of it lies in the recipe file."""

    def check(self) -> None:
        raise self.refusal()

    def treat(self, row: dict[str, Any]) -> Outcome:
        raise self.refusal()

    def refusal(self) -> RecipeError:
        """That its rows cannot be made here."""
        return RecipeError(
            f"the rows went through the step '{self.step}' with {self.code}, which the run's folder does not hold: name the "
            "recipe file in place of the folder, or give data (--data)"
        )
