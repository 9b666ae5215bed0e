"""Conversations in which a function is called, or none fits and a plain sentence is the answer."""

from __future__ import annotations

import json
from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.questions import about_me, conversation
from smolrecipes.data.toy.tools import TOOLS

CANNOT: dict[Language, tuple[str, ...]] = {
    "en": ("I am sorry, I have no function for that.", "I cannot do that with my functions."),
    "it": ("Mi dispiace, non ho una funzione per questo.", "Con le mie funzioni non posso farlo."),
}


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Two or three functions on offer: mostly one is called, sometimes the request fits none, or needs none."""
    offered = rng.pick(TOOLS, rng.randint(3, 4))
    (wanted, ask), rest = offered[0], offered[1:]
    share = rng.random()
    if share < 0.12:  # something to say, nothing to call
        question = conversation(rng, language, 1)[0]
        talk = [{"role": "user", "content": question.text}, {"role": "assistant", "content": question.full}]
        return {"messages": talk, "tools": [tool for tool, _ in rest if tool["function"]["name"] != "translate_word"]}
    request = ask(rng, language)
    said = f"{about_me(rng, language)[0]} {request.text}" if rng.random() < 0.5 else request.text
    messages: list[dict[str, Any]] = [{"role": "user", "content": said}]
    if share < 0.24:  # the function that it needs is not on offer
        messages.append({"role": "assistant", "content": rng.choice(CANNOT[language])})
        return {"messages": messages, "tools": [tool for tool, _ in rest]}
    name = wanted["function"]["name"]
    messages += call(name, request.arguments)
    if rng.random() < 0.5:
        messages += [{"role": "tool", "name": name, "content": json.dumps(request.result)},
                     {"role": "assistant", "content": request.answer}]  # fmt: skip
    tools = [tool for tool, _ in rest[:-1]]
    tools.insert(rng.randint(0, len(tools)), wanted)
    return {"messages": messages, "tools": tools}


def call(name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The assistant's message that calls a function; the arguments stay a dict."""
    function = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return [{"role": "assistant", "content": "", "tool_calls": [function]}]
