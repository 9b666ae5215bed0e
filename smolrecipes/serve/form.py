"""What grammar holds a model to the form in which its template writes calls."""

from __future__ import annotations

import json
from typing import Any

from smolrecipes.conversation.calls import Form
from smolrecipes.serve.asked import Chat
from smolrecipes.serve.parts import Function, Refused

ANY, BUT_JSON = "TEXT: /(.|\\n)*/", "TEXT: /([^{](.|\\n)*)?/"
"""What a text may be beside calls, and where a call is told by its first brace alone."""


PLAIN = Form("", "arguments", "", ": ", ", ")


def grammar(asked: Chat, form: Form | None, end: str = "") -> str | None:
    """What holds the answer, in llguidance's language; None where it is free.

    end: a control token by which a free text ends, where the grammar's own is another.
    """
    wanted = asked.response_format
    if wanted.type != "text":
        schema = wanted.json_schema.schema_ if wanted.json_schema else {"type": "object"}
        return f"%llguidance {{}}\nstart: %json {_styled(schema, PLAIN)}"
    if not asked.callable:
        return None
    if not form:
        raise Refused(
            "tools: the chat template of this model writes no calls; it was not trained on functions", "tools"
        )
    call = _styled({"anyOf": [_call(one, form.key) for one in asked.callable]}, form)
    return f"%llguidance {{}}\n{_start(asked, form, end)}\nobject: %json {call}"


def _start(asked: Chat, form: Form, end: str) -> str:
    before, after = json.dumps(form.before), json.dumps(form.after)
    many, close = bool(form.before) and asked.parallel_tool_calls, f"{end}?" if end else ""
    if asked.tool_choice != "auto":
        more = ' ("\\n" call)*' if many and asked.tool_choice == "required" else ""
        return f"start: call{more}\ncall: {before} object {after}"
    if not form.before:
        return f"start: (object | TEXT) {close}\n{BUT_JSON}"
    way = "call* TEXT" if many else "(call | TEXT)"
    return f"start: {way} {close}\ncall: begin object {after}\nbegin[lazy]: TEXT {before}\n{ANY}"


def check(lark: str, asked: Chat, tokenizer: Any = None) -> None:
    """Refused where the grammar of a request cannot be held."""
    from llguidance import LLMatcher

    if wrong := LLMatcher.validate_grammar(lark, tokenizer):
        reason = wrong.partition("failed to compile JSON schema: ")[2] or wrong
        where = "tools" if asked.callable else "response_format"
        raise Refused(f"{where}: this schema cannot be held: {' '.join(reason.splitlines()[0].split())}", where)


def _call(function: Function, key: str) -> dict[str, Any]:
    properties = {"name": {"const": function.name}, key: function.schema_()}
    return {"type": "object", "properties": properties, "required": ["name", key], "additionalProperties": False}


def _styled(schema: dict[str, Any], form: Form) -> str:
    style = {"whitespace_flexible": False, "key_separator": form.colon, "item_separator": form.comma}
    return json.dumps({**closed(schema), "x-guidance": style})


def closed(schema: Any) -> Any:
    """A schema whose objects have no properties but those it names, unless it says otherwise: else small models make up more."""
    if not isinstance(schema, dict):
        return [closed(one) for one in schema] if isinstance(schema, list) else schema
    maps, values = ("properties", "$defs", "definitions"), ("const", "enum", "default", "examples", "allOf")
    made = {name: value if name in values else closed(value) for name, value in schema.items() if name not in maps}
    for name in maps:
        if name in schema:
            told = schema[name]
            made[name] = {key: closed(one) for key, one in told.items()} if isinstance(told, dict) else told
    says = {"additionalProperties", "unevaluatedProperties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref"}
    return {**made, "additionalProperties": False} if "properties" in made and not says & made.keys() else made
