"""Preference rows: a prompt and two answers to it, whichever way they are written down."""

from __future__ import annotations

import re
from typing import Any

from smolrecipes.data.chat import Message, conversation, is_conversation
from smolrecipes.errors import RecipeError

_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):[ \n]?")


def explicit(prompt: Any, chosen: Any, rejected: Any, where: str) -> dict[str, list[Message]]:
    """The row with the prompt given; where both answers repeat it as their first turns, it is taken off them."""
    asked = turns(prompt, "user", f"{where}: prompt")
    better, worse = turns(chosen, "assistant", f"{where}: chosen"), turns(rejected, "assistant", f"{where}: rejected")
    size = _shared(better, worse)
    if better[0]["role"] == worse[0]["role"] == "assistant":
        return {"prompt": asked, "chosen": better, "rejected": worse}
    said = [turn["content"].strip() for turn in better[:size]]
    if any(turn["content"].strip() not in said for turn in asked):
        raise RecipeError(
            f"{where}: chosen and rejected do not begin with the prompt's turns; mend it, or drop the column prompt"
        )
    return _parted(better, worse, size, where)


def implicit(chosen: Any, rejected: Any, where: str) -> dict[str, list[Message]]:
    """The row without a prompt: what both answers share at the beginning is the prompt."""
    if not (is_text(chosen) and is_text(rejected)):
        better, worse = (
            turns(chosen, "assistant", f"{where}: chosen"),
            turns(rejected, "assistant", f"{where}: rejected"),
        )
        size = _shared(better, worse)
        return _parted(better, worse, size, where)
    if _SPEAKER.match(chosen) and _SPEAKER.match(rejected):
        return implicit(dialogue(chosen), dialogue(rejected), where)
    size = border(chosen, rejected)
    prompt = [{"role": "user", "content": chosen[:size].rstrip()}] if chosen[:size].strip() else []
    start = size if prompt else 0
    return {"prompt": prompt, "chosen": _answer(chosen[start:]), "rejected": _answer(rejected[start:])}


def turns(value: Any, speaker: str, where: str) -> list[Message]:
    """A conversation as it is; plain text as one turn of `speaker`."""
    return conversation(value, where) if not is_text(value) else [{"role": speaker, "content": value}]


def is_text(value: Any) -> bool:
    """Whether this is plain text, not a conversation as JSON text."""
    return isinstance(value, str) and not is_conversation(value)


def dialogue(text: str) -> list[Message]:
    """The turns of a text written as `Human: ...` and `Assistant: ...`, an empty line before each."""
    marks = list(_SPEAKER.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    roles = {"Human": "user", "Assistant": "assistant"}
    return [
        {"role": roles[mark[1]], "content": text[mark.end() : end].strip()}
        for mark, end in zip(marks, ends, strict=True)
    ]


def border(one: str, other: str) -> int:
    """Where the text that both share ends: at its last line or sentence end, not within one; 0 when it has neither."""
    size = min(len(one), len(other))
    low, high = 0, size
    while low < high:  # the longest common prefix, by halving
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    ends = [found.end() for found in re.finditer(r"\n+|(?<=[.?!:])\s+", one[:low])]
    if re.search(r"[.?!:]$", one[:low]) and one[low : low + 1].isspace() and other[low : low + 1].isspace():
        ends.append(low)
    return max((end for end in ends if one[end:].strip() and other[end:].strip()), default=0)


def _shared(one: list[Message], other: list[Message]) -> int:
    """How many first turns are equal, leaving each at least one."""
    size = min(len(one), len(other)) - 1
    return next((i for i in range(size) if one[i] != other[i]), size)


def _parted(better: list[Message], worse: list[Message], size: int, where: str) -> dict[str, list[Message]]:
    """The row whose prompt is the first `size` turns; after it the assistant speaks."""
    for side, said in (("chosen", better), ("rejected", worse)):
        if said[size]["role"] != "assistant":
            raise RecipeError(
                f"{where}: after the turns that chosen and rejected share, {side} goes on with the {said[size]['role']}, "
                "not with the assistant's answer; mend the row, or leave it out"
            )
    return {"prompt": better[:size], "chosen": better[size:], "rejected": worse[size:]}


def _answer(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]
