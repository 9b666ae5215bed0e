"""The turns of a conversation: spelt and joined as they should be, and what is wrong with their order."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

Turn = dict[str, Any]
SYSTEM = ("system", "developer")
SPELT, EMPTY, JOINED = (
    "a role is spelt as it should be",
    "an empty system message is left out",
    "turns of one role are joined",
)


def spelt(turns: Sequence[Turn]) -> tuple[list[Turn], bool]:
    """The turns with the roles that are meant by `Assistant `, `asistant` or `gpt`, and whether any was another."""
    new = [{**turn, "role": _role(turn.get("role"))} for turn in turns]
    return new, any(one["role"] != other.get("role") for one, other in zip(new, turns, strict=True))


def joined(turns: Sequence[Turn]) -> list[Turn]:
    """Neighbours of one role as one turn, their texts an empty line apart; results of functions stay by themselves."""
    found: list[Turn] = []
    for turn in turns:
        if found and _goes_on(found[-1], turn):
            found[-1] = _together(found[-1], turn)
        else:
            found.append(turn)
    return found


def is_empty(turn: Turn) -> bool:
    """Whether it says nothing and calls nothing; what a function gives back may be empty."""
    return turn["role"] != "tool" and not str(turn.get("content") or "").strip() and not turn.get("tool_calls")


def fault(turns: Sequence[Turn], prompt: int | None = None) -> str:
    """What is wrong with the order of a conversation, or nothing.

    prompt: how many of its turns are that, where it is kept by itself: one without a user's turn is no fault then.
    """
    roles = [turn["role"] for turn in turns]
    if strange := set(roles) - {*SYSTEM, "user", "assistant", "tool"}:
        return f"a role that is none: {sorted(map(str, strange))[0]}"[:60]
    start = next((at for at, role in enumerate(roles) if role not in SYSTEM), len(roles))
    if start > 1 or any(role in SYSTEM for role in roles[start:]):
        return "a system message that is not the first"
    if any(map(is_empty, turns)):
        return "an empty turn"
    if roles[start : start + 1] != ["user"] and start != prompt:
        return "it does not begin with the user"
    return _out_of_order(turns[start:])


def _out_of_order(turns: Sequence[Turn]) -> str:
    """What is wrong from one turn to the next; `open_` are the calls that wait for a result."""
    open_, before = 0, ""
    for turn in turns:
        role = turn["role"]
        if role == "tool":
            if not open_:
                return "a function's result without its call"
            open_ -= 1
        elif open_:
            return "a call without its result"
        elif role == before:
            return f"two turns of the {role} in a row"
        elif role == "user" and before == "tool":
            return "a function's result without an answer"
        open_ = len(turn.get("tool_calls") or ()) or open_
        before = role
    return "a call without its result" if before == "tool" and open_ else ""


def _role(given: Any) -> Any:
    """The role that a word means, or the word itself; a turn that is a call is no role, and has to be read as one."""
    from smolrecipes.data.chat import ROLES

    word = str(given).strip().lower()
    near = [word] if word in ROLES else difflib.get_close_matches(word, ROLES, n=1, cutoff=0.75)
    meant = ROLES[near[0]] if near else "call"
    return given if meant == "call" else meant


def _goes_on(one: Turn, other: Turn) -> bool:
    same = one["role"] == other["role"] != "tool"
    return same and not one.get("tool_calls")


def _together(one: Turn, other: Turn) -> Turn:
    new = {**one, **other}
    for key in ("content", "reasoning_content"):
        if said := [text for text in (one.get(key), other.get(key)) if text]:
            new[key] = "\n\n".join(said)
    return new
