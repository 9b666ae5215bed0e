"""Map: rows are changed by a function of one's own."""

from __future__ import annotations

from typing import Any

from smolrecipes.errors import RecipeError
from smolrecipes.functions import reference
from smolrecipes.kinds import Outcome
from smolrecipes.transforms.function import WithFunction
from smolrecipes.transforms.texts import LISTS, TURNS, is_text

Row = dict[str, Any]


class Map(WithFunction, name="map"):
    """Changes rows as a function says, which gives the row back, or the text where rows are texts."""

    def treat(self, row: Row) -> Outcome:
        said = self.answer(row)
        if isinstance(said, str) and is_text(row):
            said = {**row, "text": said}
        if not isinstance(said, dict):
            raise self.wrong(row, f"gives {type(said).__name__}; it should give the row, changed or not")
        new = {**said, "origin": row["origin"]}
        if new.keys() != row.keys():
            raise self.wrong(row, f"gives {_names(new)}; it should give the columns of the row, {_names(row)}")
        for name, value in new.items():
            if row[name] is not None and type(value) is not type(row[name]):
                kinds = f"{type(value).__name__}, not {type(row[name]).__name__}"
                raise self.wrong(row, f"gives a '{name}' that is {kinds}")
            if problem := _unfit(name, value):
                raise self.wrong(row, f"gives {problem}")
        assert callable(self.function)
        return Outcome(new, (f"by {reference(self.function).partition(':')[2]}",))


def _unfit(name: str, value: Any) -> str:
    """What is wrong with the parts of a column, or nothing."""
    from smolrecipes.data.chat import message, shown

    if name in TURNS and isinstance(value, list):
        for place, turn in enumerate(value):
            try:
                read = message(turn, f"{name}[{place}]")
            except RecipeError as error:
                return str(error)
            if read.get("role") != turn.get("role"):
                return f"{name}[{place}] with the role {turn.get('role')!r}; write {read['role']}"
    if name in (*LISTS, "tokens", "tags") and isinstance(value, list):
        wrong = [part for part in value if not isinstance(part, str)]
        return f"{name} that hold {shown(wrong[0])}, which is no text" if wrong else ""
    return ""


def _names(row: Row) -> str:
    return ", ".join(name for name in row if name != "origin") or "nothing"
