"""What a transcript spells: its turns by their markers, the functions of its system message, the calls of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Turn = dict[str, Any]
NAMED = re.compile(
    r'\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*\'(.*)\'\s*\}', re.DOTALL
)
"""A call whose arguments are JSON in single quotes, which is no JSON."""


class Unreadable(ValueError):
    """Why a transcript cannot be read."""


def turns(text: str, markers: Mapping[str, str], anywhere: bool) -> Iterator[tuple[str, str]]:
    """The role and the text of each turn; what stands before the first marker is the system's."""
    begins = "" if anywhere else r"^[ \t]*"
    longest = sorted(markers, key=len, reverse=True)
    found = list(re.finditer(rf"{begins}({'|'.join(map(re.escape, longest))})", text, re.MULTILINE))
    if not found:
        raise Unreadable("there is no marker in it")
    if before := text[: found[0].start()].strip():
        yield "system", before
    ends = [mark.start() for mark in found[1:]] + [len(text)]
    for mark, end in zip(found, ends, strict=True):
        yield markers[mark[1]], text[mark.end() : end].strip()


def without(text: str, marks: Sequence[str]) -> str:
    """The text without the marks that end it."""
    while mark := next((mark for mark in marks if text.endswith(mark)), None):
        text = text.removesuffix(mark).rstrip()
    return text


def functions(text: str, phrase: str) -> tuple[str, list[Any]]:
    """A system message without the functions that it defines behind a phrase, and these."""
    told, found, defined = text.partition(phrase)
    if not phrase or not found:
        return text, []
    try:
        tools = list(_values(defined.lstrip(" -:\n\t")))
    except (ValueError, RecursionError):
        raise Unreadable("its functions cannot be read") from None
    told = told.rstrip(" ,\n")
    return f"{told}." if told and told[-1].isalnum() else told, tools


def answer(text: str, mark: str) -> Turn:
    """The assistant's turn: what it says, and its calls behind each mark."""
    said, *calls = text.split(mark) if mark else [text]
    turn: Turn = {"role": "assistant", "content": said.strip()}
    if calls:
        turn["tool_calls"] = [{"type": "function", "function": _call(call.strip())} for call in calls]
    return turn


def _call(text: str) -> dict[str, Any]:
    """The name and the arguments of a call."""
    try:
        quoted = NAMED.fullmatch(text)
        read = {"name": json.loads(quoted[1]), "arguments": quoted[2]} if quoted else json.loads(text, strict=False)
        given: Any = next((read[key] for key in ("arguments", "parameters") if key in read), {})
        given = _inner(given) if isinstance(given, str) else given
        if not isinstance(read["name"], str) or not isinstance(given, dict):
            raise ValueError(text)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unreadable("a call cannot be read") from None
    return {"name": read["name"], "arguments": given}


def _inner(text: str) -> Any:
    """JSON in quotes, in which an apostrophe may be escaped for their sake."""
    for spelling in (text, text.replace("\\'", "'")):
        try:
            return json.loads(spelling or "{}", strict=False)
        except ValueError:
            continue
    raise ValueError(text)


def _values(text: str) -> Iterator[Any]:
    """The JSON objects of a text, one behind the other, with or without commas; those of a list one by one."""
    while text := text.lstrip(" ,\n\t"):
        value, end = json.JSONDecoder(strict=False).raw_decode(text)
        yield from value if isinstance(value, list) else [value]
        text = text[end:]
