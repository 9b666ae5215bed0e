"""Rows of JSON: an object a line, or a list of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from smolrecipes.data.broken import Broken
from smolrecipes.data.chat import called, is_conversation
from smolrecipes.errors import RecipeError

Row = dict[str, Any]


def of_lines(lines: Iterable[tuple[int, str]], name: str, broken: Broken) -> Iterator[tuple[int, Row]]:
    """An object a line; empty lines are none."""
    for number, line in lines:
        if line.strip():
            try:
                row = _object(_parsed(line.rstrip(), name, number), f"{name}:{number}")
            except RecipeError as error:
                broken.met(error)
                continue
            yield number, row


def of_text(text: str, name: str, broken: Broken) -> Iterator[tuple[int, Row]]:
    """A list of objects, an object that holds one (`{"data": [...]}`), or, as many such files are, JSON lines."""
    lines = [line for line in text.split("\n", 2)[:2] if line.strip()]
    if len(lines) == 2 and _is_object(lines[0]):
        yield from of_lines(enumerate(text.split("\n"), 1), name, broken)
        return
    if not text.strip():
        return
    value = _parsed(text, name, 1)
    if isinstance(value, dict):
        value = _inner(value) or [value]
    if not isinstance(value, list):
        raise RecipeError(f'{name} should hold a list of objects such as [{{"text": "..."}}], not {called(value)}')
    for number, item in enumerate(value, 1):
        if isinstance(item, dict):
            yield number, item
        else:
            broken.met(_no_object(item, f"{name}:{number}"))


def _inner(value: Row) -> list[Any] | None:
    """The rows that an object holds, not one conversation: the list under `data`, `rows`, ...."""
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    return lists[0] if len(lists) == 1 and not is_conversation(lists[0]) and "messages" not in value else None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(text: str, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"{name}:{line + error.lineno - 1}, column {error.colno}"
        raise RecipeError(f"{at}: broken JSON: {error.msg}: {_near(error)}; mend that line, or remove it") from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{name}:{line}: this JSON cannot be read: {error}") from None


def _near(error: json.JSONDecodeError) -> str:
    around = error.doc[max(0, error.pos - 20) : error.pos + 20].strip()
    return repr(around) if around else "the text ends here"


def _object(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise _no_object(value, where)
    return value


def _no_object(value: Any, where: str) -> RecipeError:
    what = f'a row should be an object such as {{"text": "..."}}, not {called(value)}'
    return RecipeError(f"{where}: {what}; mend the row, or remove it")
