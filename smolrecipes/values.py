"""A text from the command line as the value of an option: the option's annotation is the rule."""

from __future__ import annotations

import json
from typing import Any, Literal, Union, get_origin

from smolrecipes.annotations import bare, element, members, optional, spoken
from smolrecipes.component import Component
from smolrecipes.errors import RecipeError

NOTHING = ("none", "null")


def parsed(cls: type[Component], name: str, text: str, path: str) -> Any:
    """`text` as the option `name` of `cls` stores it; errors speak of `path` and of what is expected."""
    hint = cls.hints()[name]
    try:
        return cls.parse(name, raw(text, hint, path))
    except RecipeError as error:
        complaint = str(error).removeprefix(f"{cls.__name__}.{name}: ").removeprefix(f"{path}: ")
        told = all(get_origin(bare(member)) is Literal for member in members(hint) if member is not type(None))
        expected = "" if told else f" (expected: {spoken(hint)})"
        raise RecipeError(f"{path}: {complaint}{expected}") from None


def raw(text: str, hint: Any, path: str) -> Any:
    """`text` as what pydantic can take for that annotation: lists are split, JSON is read, none is None."""
    kinds = [bare(member) for member in members(hint)]
    if text.lower() in NOTHING and optional(hint):
        return None
    if Any in kinds:
        return literal(text)
    if (values := _list(text, hint, kinds, path)) is not None:
        return values
    if element(hint, dict) is not None and (text[:1] == "{" or len(kinds) == 1):
        return read_json(text, path)
    others = [member for member in members(hint) if bare(member) is not str and member is not type(None)]
    return _or_text(text, others, hint) if str in kinds and others else text


def literal(text: str) -> Any:
    """Where anything is allowed: JSON if it is JSON, Python's words for true, false and none, or else the text."""
    words = {"True": True, "False": False, "None": None, "none": None}
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def read_json(text: str, path: str) -> Any:
    """`text` as JSON, or RecipeError that says how to write it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RecipeError(f"{path}: write JSON, as in '{path}={{\"key\": 1}}', not {text!r} ({error.msg})") from None


def is_number(text: str, hint: Any) -> bool:
    """Whether the option takes numbers and this is one."""
    if not {int, float} & {bare(member) for member in members(hint)}:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def _list(text: str, hint: Any, kinds: list[Any], path: str) -> list[Any] | None:
    """The elements, where a list is allowed and this is one: `a,b`, or JSON."""
    if all(element(hint, container) is None for container in (tuple, list)):
        return None
    if text[:1] == "[":
        return list(read_json(text, path))
    only = all(get_origin(kind) in (tuple, list) or kind in (tuple, list, type(None)) for kind in kinds)
    if "," in text or only:
        nothing = not text or text.lower() in NOTHING
        return [] if nothing else [part.strip() for part in text.split(",")]
    return None


def _or_text(text: str, others: list[Any], hint: Any) -> Any:
    """The text as one of the alternatives that are not text, or else as it is."""
    from pydantic import TypeAdapter, ValidationError

    alternatives: Any = Union[tuple(others)]  # noqa: UP007
    try:
        return TypeAdapter(alternatives).validate_python(text)
    except ValidationError:  # a number out of bounds stays a number, and is refused as one
        return float(text) if is_number(text, hint) else text
