"""How a chat template writes function calls, and the calls that an answer makes in that form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from smolrecipes.conversation.render import render
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Call = dict[str, Any]
ASKED = {"role": "user", "content": "?"}
CALLED = {"name": "sr_name", "arguments": {"sr_key": "sr_value"}}
WRITTEN = re.compile(r'\{"name":(\s*)"sr_name",(\s*)"(\w+)":\s*\{"sr_key":\s*"sr_value"\}\}')
STRING = r'"(?:[^"\\]|\\.)*"'
"""Of JSON: what stands in it is no mark and no brace."""
PARTS = re.compile(rf"{STRING}?|[{{}}\[\]]", re.DOTALL)


class Form(NamedTuple):
    """A call is `before` {"name": ..., `key`: {...}} `after`, with such white space after colons and commas."""

    before: str
    key: str
    after: str
    colon: str
    comma: str

    @property
    def mark(self) -> str:
        """What tells a call, or nothing where its first brace does; a list may follow."""
        return self.before.strip().removesuffix("[").rstrip()

    @property
    def close(self) -> str:
        """What ends a call, or nothing."""
        return self.after.strip().removeprefix("]").lstrip()


TAGGED = Form("<tool_call>", "arguments", "</tool_call>", ": ", ", ")
"""How most templates write calls, and so how they are read where a template writes none."""


def form_of(write: Callable[[list[dict[str, Any]]], str]) -> Form | None:
    """The form of a template, found by what it makes of a conversation; None where it writes no calls as JSON."""
    try:
        text = write(
            [ASKED, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALLED}]}]
        )
        opening, _, closing = write([ASKED, {"role": "assistant", "content": "sr_said"}]).partition("sr_said")
    except RecipeError:
        return None
    found = WRITTEN.search(text)
    if not found or not text.startswith(opening):
        return None
    before, after = text[len(opening) : found.start()], text[found.end() :].removesuffix(closing)
    return Form(before, found[3], after, f":{found[1]}", f",{found[2]}")


def own_form(tokenizer: PreTrainedTokenizerBase) -> Form | None:
    """The form of a tokenizer's chat template; None where it has none, or one that writes no calls as JSON."""
    return form_of(lambda messages: render(messages, tokenizer, None)) if tokenizer.chat_template else None


def calls(answer: str, form: Form | None = None) -> list[Call] | None:
    """The calls of an answer in the template's form, or as bare JSON, each with `name` and `arguments`; [] where it calls
    none, None where it tries to and cannot be read."""
    pieces, bare = [found[1] for found in _marked(form or TAGGED).finditer(answer)], answer.strip()
    if not pieces and not bare.startswith(("{", "[{")):
        return []
    found = [written(piece, form or TAGGED) for piece in pieces or [bare]]
    return None if None in found else [call for some in found for call in some or []]


def written(text: str, form: Form) -> list[Call] | None:
    """The calls that a text without marks writes, or None where it cannot be read so."""
    try:
        return [_call(value, form) for value in _values(text)]
    except (ValueError, RecursionError):
        return None


def json_end(text: str) -> int | None:
    """Where the braces that open in a text are all closed; None where they are not yet."""
    depth = 0
    for part in PARTS.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(part[0], 0)
        if depth <= 0:
            return part.end()
    return None


def beside(answer: str, form: Form | None = None) -> str:
    """What an answer says beside the calls that a mark tells."""
    return _marked(form or TAGGED).sub("", answer).strip()


def marked(answer: str, form: Form | None = None) -> bool:
    """Whether an answer holds the mark of a call, so that it is one whatever was offered."""
    return _marked(form or TAGGED).search(answer) is not None


def _marked(form: Form) -> re.Pattern[str]:
    """A call behind its mark, up to what ends it, to the next one, or to the end; nothing where a form has no mark.

    What ends it in a string of its JSON does not.
    """
    if not form.mark:
        return re.compile(r"(?!)()")
    mark, close, inside = re.escape(form.mark), re.escape(form.close), rf"((?:{STRING}|.)*?)"
    return re.compile(rf"{mark}{inside}(?:{close}|\Z)" if close else rf"{mark}{inside}(?={mark}|\Z)", re.DOTALL)


def _call(value: Any, form: Form) -> Call:
    """A call by our names; ValueError for JSON that is none."""
    read = value if isinstance(value, dict) else {}
    given = next((read[key] for key in (form.key, "arguments", "parameters") if key in read), None)
    if not isinstance(given, dict) or not isinstance(read.get("name"), str):
        raise ValueError("no call")
    return {"name": read["name"], "arguments": given}


def _values(text: str) -> list[Any]:
    """The JSON values of a text, one below the other, as some templates write several calls; a list is many."""
    found: list[Any] = []
    while text.strip() or not found:
        value, end = json.JSONDecoder().raw_decode(text := text.strip())
        found += value if isinstance(value, list) else [value]
        text = text[end:]
    return found
