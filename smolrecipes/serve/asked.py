"""What may be asked of the API: everything else is refused with a sentence, and nothing is ignored that would matter."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from smolrecipes.serve.parts import Choice, Format, Function, Loose, Message, Refused, Tool

IGNORED = ("user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key")
"""Fields about whoever asks."""
NEUTRAL: dict[str, Any] = {
    **{"n": 1, "best_of": 1, "echo": False, "suffix": "", "logprobs": False, "top_logprobs": 0, "logit_bias": {}},
    **{"presence_penalty": 0, "frequency_penalty": 0, "modalities": ["text"]},
}
"""Fields that may say only what is so anyway."""


class Strict(BaseModel):
    """No value is taken for another: "0.5" is no number."""

    model_config = ConfigDict(strict=True, extra="forbid")


class StreamOptions(Loose):
    include_usage: bool = False


class Asked(Strict):
    """What chats and texts have in common."""

    read: ClassVar[str]
    """The field that the model reads."""
    kind: ClassVar[str]
    """With what the id of an answer begins."""
    model: str
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32 - 1)] | None = None
    stop: list[Annotated[str, Field(min_length=1)]] = []
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @field_validator("stop", mode="before")
    @classmethod
    def _one(cls, stop: Any) -> Any:
        return [stop] if isinstance(stop, str) else stop

    def decoding(self) -> dict[str, Any]:
        """What the request says of decoding, by our names."""
        said = {"max_new_tokens": self.max_tokens, "temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in said.items() if value is not None}


class Text(Asked):
    read, kind = "prompt", "cmpl"
    prompt: str

    @field_validator("prompt", mode="before")
    @classmethod
    def _alone(cls, prompt: Any) -> Any:
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise ValueError("one text is taken, as a string")
        return prompt


class Chat(Asked):
    read, kind = "messages", "chatcmpl"
    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    tools: list[Tool] = []
    tool_choice: Literal["none", "auto", "required"] | Choice = "auto"
    parallel_tool_calls: bool = True
    response_format: Format = Format(type="text")

    @model_validator(mode="after")
    def _fits(self) -> Chat:
        self.max_tokens = self.max_completion_tokens or self.max_tokens
        if self.tool_choice not in ("auto", "none") and not self.callable:
            raise Refused(f"tool_choice: {self._uncallable()}", "tool_choice")
        if self.response_format.type == "json_schema" and not self.response_format.json_schema:
            raise Refused("response_format.json_schema is missing", "response_format.json_schema")
        if self.response_format.type != "text" and self.callable:
            raise Refused("response_format: give tools or a response_format, not both", "response_format")
        return self

    def _uncallable(self) -> str:
        if isinstance(self.tool_choice, Choice):
            return f"it names '{self.tool_choice.function.name}', which is no function of tools"
        return "it is 'required', and there are no tools"

    @property
    def callable(self) -> list[Function]:
        """The functions that may be called."""
        functions = [tool.function for tool in self.tools if self.tool_choice != "none"]
        named = self.tool_choice.function.name if isinstance(self.tool_choice, Choice) else None
        return [one for one in functions if named in (None, one.name)]

    def said(self) -> list[dict[str, Any]]:
        return [message.plain() for message in self.messages]

    def offered(self) -> list[dict[str, Any]] | None:
        """The tools as the chat template reads them, all of them, unless none may be called."""
        shown = [tool.model_dump(exclude_unset=True) for tool in self.tools] if self.callable else []
        return shown or None


Request = TypeVar("Request", Chat, Text)


def read(kind: type[Request], body: bytes) -> Request:
    """A request; Refused says what is wrong with it."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON") from None
    if not isinstance(given, dict):
        raise Refused("the body is no JSON object")
    try:
        return kind.model_validate(_that_matter(given, kind))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(
            str(part) for part in first["loc"] if str(part).replace("_", "").isalnum() and part != "Choice"
        )
        reason = first["msg"].removeprefix("Value error, ")
        raise Refused(f"{place}: {reason[0].lower()}{reason[1:]}" if place else reason, place or None) from None


def _that_matter(given: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    for name, value in given.items():
        neutral = NEUTRAL.get(name)
        same = value is None or (value == neutral and isinstance(value, bool) == isinstance(neutral, bool))
        if name in NEUTRAL and not same:
            raise Refused(f"{name}: this server takes {json.dumps(neutral)} only", name)
        if name not in (*kind.model_fields, *NEUTRAL, *IGNORED):
            raise Refused(f"{name}: there is no such field here", name)
    return {name: value for name, value in given.items() if name in kind.model_fields and value is not None}
