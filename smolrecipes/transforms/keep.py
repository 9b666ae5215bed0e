"""Keep: rows are kept or dropped by a function of one's own."""

from __future__ import annotations

from typing import Any

from smolrecipes.functions import reference
from smolrecipes.kinds import Outcome
from smolrecipes.transforms.function import WithFunction


class Keep(WithFunction, name="keep"):
    """Keeps the rows for which a function says True, and drops those for which it says False or, as a text, why."""

    def treat(self, row: dict[str, Any]) -> Outcome:
        said = self.answer(row)
        if said is True:
            return Outcome(row)
        if said is False:
            assert callable(self.function)
            return Outcome(None, (f"not {reference(self.function).partition(':')[2]}",))
        if isinstance(said, str) and said.strip():
            return Outcome(None, (said,))
        raise self.wrong(row, f"says {said!r}; it should say True, False, or why the row is dropped")
