"""ReadTranscripts: conversations that are written as plain text become messages, with their functions and calls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.transforms import transcripts
from smolrecipes.transforms.transcripts import Unreadable

ROLES = ("system", "user", "assistant", "tool")
READ = "is read as messages"


def _markers() -> dict[str, str]:
    return {"SYSTEM:": "system", "USER:": "user", "ASSISTANT:": "assistant", "FUNCTION RESPONSE:": "tool"}


class ReadTranscripts(Transform, name="read_transcripts"):
    """Reads texts such as `USER: ... ASSISTANT: ...` as conversations, with functions as function-calling sets write them.

    A row of text is one conversation; what cannot be read is dropped. `MendChats` then looks at the order of its turns.
    """

    rows: ClassVar[tuple[str, ...]] = ("text",)

    markers: dict[str, str] = option(factory=_markers, kw_only=False)
    """What a turn begins with, and whose it is: {"### Human:": "user", "### Assistant:": "assistant"}."""
    anywhere: bool = False
    """Whether markers count within a line as well, and not only at its beginning."""
    ends: tuple[str, ...] = ("<|endoftext|>", "</s>")
    """Marks that may end a turn; they are cut off."""
    functions: str = "with access to the following functions. Use them if required"
    """What comes in the system message before the functions, each a JSON object; the message then ends before it."""
    call: str = "<functioncall>"
    """What comes before a call, `{"name": ..., "arguments": ...}`, whose arguments may be JSON in single quotes."""
    unreadable: Literal["drop", "stop"] = "drop"
    """What becomes of a row that cannot be read: it is dropped, with the reason, or everything stops there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for marker, role in self.markers.items():
            if role not in ROLES or not marker.strip():
                raise RecipeError(f"ReadTranscripts.markers: {marker!r} is of {role!r}; it can be {', '.join(ROLES)}")
        if not {"user", "assistant"} <= set(self.markers.values()):
            raise RecipeError("ReadTranscripts.markers: name at least those of the user and of the assistant")

    def treat(self, row: dict[str, Any]) -> Outcome:
        try:
            messages, tools = self._read(row["text"], row["origin"])
        except Unreadable as why:
            if self.unreadable == "stop":
                raise RecipeError(
                    f"{row['origin']}: {why}; mend it, or drop such rows with ReadTranscripts.unreadable=drop"
                ) from None
            return Outcome(None, (str(why),))
        rest = {name: value for name, value in row.items() if name != "text"}
        return Outcome({**rest, "messages": messages, "tools": tools}, (READ,))

    def _read(self, text: str, origin: str) -> tuple[list[dict[str, Any]], Any]:
        """The messages of a transcript, and the functions that it offers."""
        messages: list[dict[str, Any]] = []
        defined: list[Any] = []
        for role, said in transcripts.turns(text, self.markers, self.anywhere):
            said = transcripts.without(said, self.ends)
            if role == "system":
                said, found = transcripts.functions(said, self.functions)
                defined += found
            messages.append(transcripts.answer(said, self.call) if role == "assistant" else _turn(role, said, messages))
        return messages, _tools(defined, origin)


def _turn(role: str, said: str, before: list[dict[str, Any]]) -> dict[str, Any]:
    """A turn; that of a function says which, where the call before it tells."""
    turn: dict[str, Any] = {"role": role, "content": said}
    calls = before[-1].get("tool_calls") or [] if before else []
    return {**turn, "name": calls[0]["function"]["name"]} if role == "tool" and len(calls) == 1 else turn


def _tools(defined: list[Any], origin: str) -> list[dict[str, Any]] | None:
    from smolrecipes.data.chat import tools

    try:
        return tools(defined, f"{origin}: functions")
    except RecipeError:
        raise Unreadable("its functions cannot be read") from None
