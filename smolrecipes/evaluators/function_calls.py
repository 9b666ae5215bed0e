"""Function calls: the right function with the right arguments, in JSON that can be read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.evaluators.answers import Answers, said, spoken

if TYPE_CHECKING:
    from numpy.typing import NDArray

Call = dict[str, Any]


class FunctionCalls(Answers, name="function_calls"):
    """Of the rows in which a function is called: whether the answer is readable JSON, calls that function, and gives its
    arguments. Of the others: whether none is called."""

    rows: ClassVar[tuple[str, ...]] = ("messages",)

    def question(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The messages before the first call, or before the first answer where none is called."""
        return list(row["messages"][: _turn(row)])

    def expected(self, row: dict[str, Any]) -> str:
        return said(row["messages"][_turn(row)])

    def grade(self, answer: str, row: dict[str, Any]) -> dict[str, float]:
        wanted = [call["function"] for call in row["messages"][_turn(row)].get("tool_calls") or []]
        found = calls(answer)
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


def calls(answer: str) -> list[Call] | None:
    """The calls of an answer, inside <tool_call></tool_call> or bare, each with `name` and `arguments`; [] where it calls
    none, None where it tries to and cannot be read."""
    pieces = re.findall(r"<tool_call>(.*?)(?:</tool_call>|$)", answer, re.DOTALL)
    bare = answer.strip()
    if not pieces and not bare.startswith(("{", "[{")):
        return []
    found: list[Call] = []
    for piece in pieces or [bare]:
        try:
            read = _values(piece)
        except (ValueError, RecursionError):
            return None
        for one in read:
            given = one.get("arguments", one.get("parameters")) if isinstance(one, dict) else None
            if not isinstance(given, dict) or not isinstance(one.get("name"), str):
                return None
            found.append({"name": one["name"], "arguments": given})
    return found


def _values(text: str) -> list[Any]:
    """The JSON values of a text, one below the other, as some templates write several calls; a list is many."""
    found: list[Any] = []
    while text.strip() or not found:
        value, end = json.JSONDecoder().raw_decode(text := text.strip())
        found += value if isinstance(value, list) else [value]
        text = text[end:]
    return found


def arguments(call: Call) -> Any:
    """A call's arguments as values: OpenAI's format writes them as a string of JSON."""
    given = call.get("arguments")
    return json.loads(given) if isinstance(given, str) else given or {}


def _turn(row: dict[str, Any]) -> int:
    """Where the first call stands, or the first answer."""
    turns = spoken(row)
    return next((index for index in turns if row["messages"][index].get("tool_calls")), turns[0])
