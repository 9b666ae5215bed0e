"""What a chat template writes around each message, and the same as a template in Go's language, which Ollama reads."""

from __future__ import annotations

import re
from typing import Any

from smolrecipes.errors import RecipeError

MARKS = {role: f"\N{BLACK SQUARE}{role}\N{BLACK SQUARE}" for role in ("system", "user", "assistant", "again")}
"""What stands for each message while the template's own words around it are found."""
PROMPT = "prompt"
"""What begins the answer; a few templates write an answer that was given otherwise."""
UNLIKE = (
    "ollama: the chat template is more than words around each message, and Ollama has a template language of its own; "
    "export gguf and run it in llama.cpp"
)


def pieces(tokenizer: Any) -> dict[str, tuple[str, str]]:
    """What the template writes before and after a message of each role, and to begin an answer; RecipeError where no such
    words make its renderings."""
    from smolrecipes.conversation.render import render

    chat = [{"role": role, "content": MARKS[role]} for role in ("system", "user", "assistant")]
    start = opening(tokenizer)
    text = render([*chat, {"role": "user", "content": MARKS["again"]}], tokenizer, None, prompt=True)
    short = render(chat[1:2], tokenizer, None, prompt=True)
    before, _, begins = short.removeprefix(start).partition(MARKS["user"])
    first, between, after_user, after_answer, _ = _around(text.removeprefix(start))
    if not (between.endswith(before) and after_answer.endswith(before)):
        raise RecipeError(UNLIKE)
    end = after_answer.removesuffix(before)
    closes = end if after_user.startswith(end) and begins.startswith(end) else ""  # a question ends as an answer does
    found = {
        "system": (first, between.removesuffix(before)),
        "user": (before, closes),
        "assistant": (after_user.removeprefix(closes), end),
        PROMPT: (begins.removeprefix(closes), ""),
    }
    _compare(tokenizer, found)
    return found


def _around(text: str) -> list[str]:
    """What stands before, between and after the marks."""
    found = re.split("|".join(MARKS.values()), text)
    if len(found) != len(MARKS) + 1:
        raise RecipeError(UNLIKE)
    return found


def rendered(around: dict[str, tuple[str, str]], messages: list[dict[str, Any]]) -> str:
    """A conversation by such pieces, ready for the answer: what Ollama makes of the Modelfile's template."""
    told = "".join(around[each["role"]][0] + each["content"] + around[each["role"]][1] for each in messages)
    return told + around[PROMPT][0]


def _compare(tokenizer: Any, found: dict[str, tuple[str, str]]) -> None:
    from smolrecipes.conversation.render import render
    from smolrecipes.exporters.samples import CONVERSATIONS

    for messages in (messages for messages, tools in CONVERSATIONS if not tools):
        if opening(tokenizer) + rendered(found, messages) != render(messages, tokenizer, None, prompt=True):
            raise RecipeError(UNLIKE)


def go(around: dict[str, tuple[str, str]]) -> str:
    """Such pieces as Ollama's template."""
    told = "".join(
        f'{{{{ {"if" if index == 0 else "else if"} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
        for index, (role, (before, after)) in enumerate(around.items())
        if role != PROMPT
    )
    return "{{ range .Messages }}" + told + "{{ end }}{{ end }}" + around[PROMPT][0]


def opening(tokenizer: Any) -> str:
    """What the template writes once, at the beginning."""
    from smolrecipes.conversation.render import render

    text = render([{"role": "user", "content": "?"}], tokenizer, None)
    return str(tokenizer.bos_token) if tokenizer.bos_token and text.startswith(tokenizer.bos_token) else ""
