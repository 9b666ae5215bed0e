"""Data as the Python code that makes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from smolrecipes.component import Component
    from smolrecipes.kinds import Data


def code(data: Data, name: str = "data") -> str:
    """`from smolrecipes import Files, FixText` and `data = Files(...).pipe(FixText(), ...)`, to be pasted into a recipe file."""
    from smolrecipes.data.piped import Piped

    if type(data) is Piped:
        steps = "".join(f"    {_inside(repr(step))},\n" for step in data.steps)
        used, written = [data.origin, *data.steps], f"{data.origin!r}.pipe(\n{steps})"
    else:
        used, written = [data], repr(data)
    classes = dict.fromkeys(type(part) for one in used for part in _tree(one))
    return hidden("\n".join([*_imports(list(classes)), "", f"{name} = {written}"]))


def _imports(classes: list[type[Component]]) -> list[str]:
    """What the names stand for; a class of a recipe file is named with the module that it is in."""
    import smolrecipes

    public = sorted(cls.__name__ for cls in classes if getattr(smolrecipes, cls.__name__, None) is cls)
    own = sorted({(cls.__module__, cls.__name__) for cls in classes if cls.__name__ not in public})
    first = [f"from smolrecipes import {', '.join(public)}"] if public else []
    return first + [f"from {module} import {name}" for module, name in own]


def _tree(part: Component) -> Iterator[Component]:
    yield part
    for _, child in part.children():
        yield from _tree(child)


def _inside(text: str) -> str:
    return text.replace("\n", "\n    ")
