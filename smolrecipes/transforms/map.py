"""Map: rows are changed by a function of one's own."""

from __future__ import annotations

from typing import Any

from smolrecipes.functions import reference
from smolrecipes.kinds import Outcome
from smolrecipes.transforms.function import WithFunction

Row = dict[str, Any]


class Map(WithFunction, name="map"):
    """Changes rows as a function says, which gives the row back, or the text where rows are texts."""

    def treat(self, row: Row) -> Outcome:
        said = self.answer(row)
        if isinstance(said, str) and row.keys() == {"text", "origin"}:
            said = {"text": said}
        if not isinstance(said, dict):
            raise self.wrong(row, f"gives {type(said).__name__}; it should give the row, changed or not")
        new = {**said, "origin": row["origin"]}
        if new.keys() != row.keys():
            raise self.wrong(row, f"gives {_names(new)}; it should give the columns of the row, {_names(row)}")
        for name, value in new.items():
            if row[name] is not None and type(value) is not type(row[name]):
                kinds = f"{type(value).__name__}, not {type(row[name]).__name__}"
                raise self.wrong(row, f"gives a '{name}' that is {kinds}")
        assert callable(self.function)
        return Outcome(new, (f"by {reference(self.function).partition(':')[2]}",))


def _names(row: Row) -> str:
    return ", ".join(name for name in row if name != "origin") or "nothing"
