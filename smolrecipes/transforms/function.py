"""What Keep and Map share: a function of one's own, called for each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.functions import function_of, reference
from smolrecipes.kinds import Transform

Row = dict[str, Any]


class WithFunction(Transform):
    """A step by a function of one's own."""

    function: Callable[[Row], Any] | str = option(kw_only=False)
    """It gets a row and has a name at the top of a module or recipe file; also given as text, `"module:name"`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "function", function_of(self.function, f"{type(self).__name__}.function"))

    def answer(self, row: Row) -> Any:
        """What the function says of a copy of the row; RecipeError where it fails."""
        from copy import deepcopy

        assert callable(self.function)
        try:
            return self.function(deepcopy(row))
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise RecipeError(f"{row['origin']}: {reference(self.function)} fails: {said}") from error

    def wrong(self, row: Row, problem: str) -> RecipeError:
        """The error about an answer that is none."""
        assert callable(self.function)
        return RecipeError(f"{row['origin']}: {reference(self.function)} {problem}")
