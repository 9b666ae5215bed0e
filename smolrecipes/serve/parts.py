"""What requests hold: messages, calls, tools, schemas."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from smolrecipes.errors import RecipeError


class Refused(RecipeError):
    """A request that is answered by an error, in OpenAI's form."""

    def __init__(self, message: str, param: str | None = None, status: int = 400, kind: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.kind = status, param, kind


class Loose(BaseModel):
    """What clients hand back, with fields of their own, which no template reads: they are dropped."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Called(Loose):
    name: str
    arguments: str


class Call(Loose):
    id: str = ""
    function: Called

    def plain(self) -> dict[str, Any]:
        """As chat templates read it."""
        named = {"id": self.id} if self.id else {}
        return {**named, "type": "function", "function": {"name": self.function.name, "arguments": _values(self)}}


class Message(Loose):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _parts(cls, content: Any) -> Any:
        if not isinstance(content, list):
            return content
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise ValueError("this model reads parts of text only")
        return "".join(part["text"] for part in content)

    @model_validator(mode="after")
    def _says_something(self) -> Message:
        if self.content is None and not self.tool_calls:
            raise ValueError("a message has content, or tool_calls if it is the assistant's")
        return self

    def plain(self) -> dict[str, Any]:
        """As chat templates read it: one text, and arguments as values."""
        said = {"role": self.role.replace("developer", "system"), "content": self.content or ""}
        more = {"name": self.name, "tool_calls": [call.plain() for call in self.tool_calls or []]}
        more["tool_call_id"] = self.tool_call_id
        return {**said, **{name: value for name, value in more.items() if value}}


class Function(Loose):
    name: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
    description: str = ""
    parameters: dict[str, Any] | None = None

    def schema_(self) -> dict[str, Any]:
        """The schema of its arguments."""
        return {"type": "object", "properties": {}, **(self.parameters or {})}


class Tool(Loose):
    type: Literal["function"]
    function: Function


class Named(Loose):
    name: str


class Choice(Loose):
    type: Literal["function"]
    function: Named


class Schema(Loose):
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class Format(Loose):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


def _values(call: Call) -> dict[str, Any]:
    try:
        values = json.loads(call.function.arguments or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Refused(f"messages: the arguments of the call of {call.function.name} are no JSON object", "messages")
    return values
