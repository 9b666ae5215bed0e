"""Function calls: the right function with the right arguments, in JSON that can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.conversation.calls import Call, Form, calls, own_form
from smolrecipes.evaluators.answers import Answers, said, spoken
from smolrecipes.kinds import Scores, Subject

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


class FunctionCalls(Answers, name="function_calls"):
    """Of the rows in which a function is called: whether the answer is readable JSON, calls that function, and gives its
    arguments. Of the others: whether none is called."""

    rows: ClassVar[tuple[str, ...]] = ("messages",)

    def question(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The messages before the first call, or before the first answer where none is called."""
        return list(row["messages"][: _turn(row)])

    def expected(self, row: dict[str, Any]) -> str:
        return said(row["messages"][_turn(row)])

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """As of any answers, with the calls read as the model's own chat template writes them."""
        found, form = super().score(subject, rows), own_form(subject.tokenizer)
        grades = [self.grade(one["answered"], row, form) for one, row in zip(found.shown, rows, strict=True)]
        return Scores({name: [grade[name] for grade in grades] for name in found.columns}, found.shown)

    def grade(self, answer: str, row: dict[str, Any], form: Form | None = None) -> dict[str, float]:
        wanted = [call["function"] for call in row["messages"][_turn(row)].get("tool_calls") or []]
        found = calls(answer, form)
        if not wanted:
            nan = float("nan")
            return {"valid_json": nan, "name": nan, "arguments": nan, "no_call": float(found == [])}
        names = found is not None and [call["name"] for call in found] == [call["name"] for call in wanted]
        same = names and [call["arguments"] for call in found or []] == [arguments(call) for call in wanted]
        return {
            "valid_json": float(bool(found)),
            "name": float(names),
            "arguments": float(same),
            "no_call": float("nan"),
        }

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        """Means over the rows that each is about."""
        known = {name: values[values == values] for name, values in columns.items()}
        return {name: float(values.mean()) for name, values in known.items() if len(values)}


def arguments(call: Call) -> Any:
    """A call's arguments as values: OpenAI's format writes them as a string of JSON."""
    given = call.get("arguments")
    return json.loads(given) if isinstance(given, str) else given or {}


def _turn(row: dict[str, Any]) -> int:
    """Where the first call stands, or the first answer."""
    turns = spoken(row)
    return next((index for index in turns if row["messages"][index].get("tool_calls")), turns[0])
