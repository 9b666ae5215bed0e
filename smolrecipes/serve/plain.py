"""What requests say is text: where a server would read control tokens in it, it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from smolrecipes.serve.parts import Refused


def check_plain(said: list[dict[str, Any]], where: str, spells: Callable[[str], bool]) -> None:
    """Refused where anything in messages or tools spells a control token; spells: whether a text does."""
    found = {text: place for place, text in strings(said, where)}
    if not spells("\n".join(found)):
        return
    for text, place in found.items():
        if spells(text):
            raise Refused(
                f"{place}: it spells a control token of this model, which only the chat template may write", place
            )


def strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every string in JSON, the names of its fields too, each with where it is: `messages.0.content`."""
    if isinstance(value, str):
        yield place, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        yield from strings(key, place)
        yield from strings(one, f"{place}.{key}")
