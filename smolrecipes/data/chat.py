"""Conversations in any common notation, as canonical messages: role, content, tool calls with arguments as objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smolrecipes.errors import RecipeError, nearest

Message = dict[str, Any]

ROLES = {
    "system": "system",
    "developer": "developer",
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "tool_response", "function_response", "ipython"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
}
"""What data calls the speakers (OpenAI's names, ShareGPT's), and ours; a `call` is an assistant's tool calls."""


def is_message(value: Any) -> bool:
    """Whether this is one turn: `role` with content or tool calls, or ShareGPT's `from` and `value`."""
    if not isinstance(value, Mapping):
        return False
    return ("role" in value and ("content" in value or "tool_calls" in value or "function_call" in value)) or (
        "from" in value and "value" in value
    )


def is_conversation(value: Any) -> bool:
    """Whether this is a list of turns, or JSON text of one (as tables hold them)."""
    if isinstance(value, str):
        value = _unpacked(value)
    return isinstance(value, list) and bool(value) and all(map(is_message, value))


def conversation(value: Any, where: str) -> list[Message]:
    """The canonical messages of a list of turns, of one turn, or of JSON text of either. `where` names it in errors."""
    if isinstance(value, str):
        value = _unpacked(value)
    if is_message(value):
        value = [value]
    if value == []:
        raise RecipeError(f"{where} holds no message; add some, or remove the row")
    if not isinstance(value, list):
        raise RecipeError(f"{where} should be a list of messages, not {shown(value)}")
    return [message(item, f"{where}[{i}]") for i, item in enumerate(value)]


def message(item: Any, where: str) -> Message:
    """One canonical message."""
    if _is_canonical(item):
        return dict(item)  # as most are: reading them takes half the time
    if not is_message(item):
        raise RecipeError(f"{where} should be a message with role and content (or from and value), not {shown(item)}")
    given = item["role"] if "role" in item else item["from"]
    role = ROLES.get(str(given).lower())
    if role is None:
        hint = nearest(str(given), ROLES) or "; use system, user, assistant or tool"
        raise RecipeError(f"{where}: {given!r} is no role{hint}")
    content = item.get("content") if "role" in item else item["value"]
    calls = item.get("tool_calls") or ([item["function_call"]] if item.get("function_call") else [])
    if role == "call":
        role, calls, content = "assistant", _json(content, f"{where}: the tool call"), ""
    if role != "assistant" and calls:
        raise RecipeError(f"{where}: only the assistant calls tools, not the {role}")
    found: Message = {"role": role, "content": _content(content, where, optional=bool(calls))}
    if calls:
        calls = _json(calls, f"{where}.tool_calls")
        calls = calls if isinstance(calls, list) else [calls]
        found["tool_calls"] = [_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)]
    read = ("role", "content", "from", "value", "tool_calls", "function_call")
    return {**found, **{key: kept for key, kept in item.items() if key not in read and kept is not None}}


def tools(value: Any, where: str) -> list[dict[str, Any]] | None:
    """The tools as a list of `{"type": "function", "function": {...}}`; None when there are none."""
    value = _json(value, where) if value else None
    if not value:
        return None
    value = value if isinstance(value, list) else [value]
    return [_tool(_json(item, f"{where}[{i}]"), f"{where}[{i}]") for i, item in enumerate(value)]


def shown(value: Any) -> str:
    """A value as an error message quotes it."""
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def called(value: Any) -> str:
    """What JSON calls a value of this type: null, a list, a number."""
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value)) or ("a list" if isinstance(value, list) else "an object")


def _is_canonical(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.keys() == {"role", "content"}
        and item["role"] in ("user", "assistant", "system")
        and isinstance(item["content"], str)
    )


def _tool(item: Any, where: str) -> dict[str, Any]:
    inner = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise RecipeError(f"{where} should be a tool with a name, not {shown(item)}")
    if inner is not item:
        return {"type": "function", **item}
    return {"type": "function", "function": {key: kept for key, kept in item.items() if key != "type"}}


def _call(item: Any, where: str) -> dict[str, Any]:
    item = _json(item, where)
    inner = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise RecipeError(f"{where} should be a call with name and arguments, not {shown(item)}")
    arguments = _json(inner.get("arguments") or {}, f"{where}.arguments")
    if not isinstance(arguments, dict):
        raise RecipeError(f"{where}.arguments should be an object, not {shown(arguments)}")
    outer = {key: kept for key, kept in item.items() if key not in ("type", "function")} if inner is not item else {}
    rest = {key: kept for key, kept in inner.items() if key not in ("type", "arguments")}
    return {"type": "function", **outer, "function": {**rest, "arguments": arguments}}


def _content(value: Any, where: str, optional: bool) -> str:
    if value is None and optional:
        return ""
    if isinstance(value, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in value):
        value = "".join(str(part.get("text", "")) for part in value)
    if not isinstance(value, str):
        raise RecipeError(f"{where}.content should be text, not {shown(value)}")
    return value


def _json(value: Any, where: str) -> Any:
    """JSON text as what it says; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{where} is broken JSON: {error}: {shown(value)}") from None


def _unpacked(text: str) -> Any:
    """What JSON text of an object or list says; other text as it is."""
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
