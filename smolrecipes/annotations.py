"""Reading an option's annotation: its alternatives, the components it may hold, how to say it to a person."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from smolrecipes.component import Component


def members(hint: Any) -> Iterator[Any]:
    """The alternatives: `Annotated[int, Gt(0)] | None` gives the annotated int and None's type."""
    if get_origin(hint) in (Union, types.UnionType):
        for member in get_args(hint):
            yield from members(member)
    else:
        yield hint


def bare(hint: Any) -> Any:
    """`hint` without Annotated."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def component_classes(hint: Any) -> list[type[Component]]:
    """The component classes among the alternatives."""
    found = (bare(member) for member in members(hint))
    return [
        member
        for member in found
        if inspect.isclass(member) and get_origin(member) is None and issubclass(member, Component)
    ]


def optional(hint: Any) -> bool:
    """Whether None is an alternative."""
    return type(None) in members(hint)


def element(hint: Any, container: type) -> Any:
    """What a container of this annotation holds (a dict: its values); None when it is no such container."""
    for member in map(bare, members(hint)):
        if member is container or get_origin(member) is container:
            return get_args(member)[1 if container is dict else 0] if get_args(member) else Any
    return None


def spoken(hint: Any) -> str:
    """The annotation in words: `int > 0, or none`."""
    parts = [_spoken(member) for member in members(hint) if member is not type(None)]
    parts = list(dict.fromkeys(part for part in parts if part))
    return ", or ".join([*parts, *(["none"] if optional(hint) else [])])


def _spoken(hint: Any) -> str:
    inner, origin = bare(hint), get_origin(bare(hint))
    if origin is Literal:
        return " or ".join(str(choice) for choice in get_args(inner))
    if origin in (tuple, list):
        return f"list of {spoken(get_args(inner)[0])}"
    if origin is dict:
        return "dict"
    if any(type(mark).__name__ == "ShareOrCount" for mark in getattr(hint, "__metadata__", ())):
        return "a share or a count"
    name = "text" if inner is str else inner.kind or inner.__name__ if _is_component(inner) else _name(inner)
    return " ".join([name, *filter(None, map(_limit, getattr(hint, "__metadata__", ())))])


def _is_component(hint: Any) -> bool:
    return inspect.isclass(hint) and get_origin(hint) is None and issubclass(hint, Component)


def _name(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint)).lower()


def _limit(mark: Any) -> str:
    signs = {"Gt": (">", "gt"), "Ge": (">=", "ge"), "Lt": ("<", "lt"), "Le": ("<=", "le")}
    sign, attribute = signs.get(type(mark).__name__, ("", ""))
    return f"{sign} {getattr(mark, attribute)}" if sign else ""
