"""Function calls in a conversation: read from an answer, written for people, and the functions on offer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smolrecipes.conversation.calls import Call, Form, beside, calls, marked
from smolrecipes.errors import RecipeError, nearest

Message = dict[str, Any]
UNREADABLE = "a call that cannot be read: it is no JSON with a name and arguments"


def spoken(said: str, offered: bool, form: Form | None = None) -> Message:
    """An answer as a message, the calls in it apart from its text as data have them; one that cannot be read stays text.

    form: how the model's chat template writes calls.
    """
    message: Message = {"role": "assistant", "content": said}
    found = called(message, offered, form)
    if not found:
        return message
    text = beside(said, form) if marked(said, form) else ""
    return {**message, "content": text, "tool_calls": [{"type": "function", "function": call} for call in found]}


def called(message: Message, offered: bool, form: Form | None = None) -> list[Call] | None:
    """The calls of an answer; None where it tries to call and cannot be read. Bare JSON calls only where functions are
    offered."""
    if "tool_calls" in message:
        return [call["function"] for call in message["tool_calls"]]
    said = str(message["content"])
    return calls(said, form) if offered or marked(said, form) else []


def written(call: Call) -> str:
    """A call as people write it: `name(argument="value")`."""
    values = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call["arguments"].items())
    return f"{call['name']}({values})"


def notes(calls: list[Call] | None, tools: list[dict[str, Any]]) -> list[str]:
    """A line for each call of an answer, and what is wrong with it."""
    if calls is None:
        return [f"\N{RIGHTWARDS ARROW} {UNREADABLE}"]
    known, found = names(tools), []
    for call in calls:
        wrong = f" (no such function is offered{nearest(call['name'], known)})" if call["name"] not in known else ""
        found.append(f"\N{RIGHTWARDS ARROW} {written(call)}{wrong}")
    return found


def names(tools: list[dict[str, Any]]) -> list[str]:
    """What the functions are called."""
    return [tool["function"]["name"] for tool in tools]


def signature(tool: dict[str, Any]) -> str:
    """A function on offer: `name(argument, argument)`."""
    given = tool["function"].get("parameters")
    properties = given.get("properties") if isinstance(given, dict) else None
    return f"{tool['function']['name']}({', '.join(properties) if isinstance(properties, dict) else ''})"


def read_tools(file: Path) -> list[dict[str, Any]]:
    """The functions in a JSON file: a list in OpenAI's form, or of plain function objects."""
    from smolrecipes.data.chat import tools

    try:
        read = json.loads(file.expanduser().read_bytes())
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{file} is broken JSON ({error}); it takes a list of functions") from None
    found = tools(read, str(file))
    if not found:
        raise RecipeError(f'{file} holds no function; write a list, as in [{{"name": "add", "parameters": {{...}}}}]')
    return found
