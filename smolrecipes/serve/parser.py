"""An answer read while it is written: its text, its calls, and the stops after which nothing counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from smolrecipes.conversation.calls import Call, Form, json_end, written

Event = dict[str, Any]
"""As transformers' `response_events_to_chunks` takes it."""


class Parser:
    """In the place of transformers' ResponseParser, for which a call ends where a string in it spells the closing mark."""

    initial_events: Sequence[Event] = ()

    def __init__(self, form: Form | None, stops: Sequence[str] = (), controls: Sequence[str] = ()) -> None:
        self.form, self.stops = form, stops
        self.before = form.before if form else ""
        self.marks = [mark for mark in (*stops, *controls, self.before) if mark]
        self.text, self.called, self.ended = "", False, False
        self.step: Callable[[], list[Event] | None] = self._begin if form and not form.before else self._say
        """What reads on: events, or None until there is more text."""

    def feed(self, text: str) -> list[Event]:
        """What is known by this text."""
        self.text += text
        events: list[Event] = []
        while (found := self.step()) is not None:
            events += found
        return events

    def finalize(self, cut: bool = True) -> tuple[dict[str, Any], list[Event]]:
        """What was held back; where the answer was cut, nothing of a mark that had begun. A call without an end is left out."""
        if cut and self.step == self._say:
            self.text = self._without_begun()
        self.ended = True
        return {}, self.feed("")

    def _begin(self) -> list[Event] | None:
        """Where a call has no mark, its brace tells it, as the first sign of the answer."""
        if not self.text:
            return None
        self.step = self._call if self.text.startswith("{") else self._say
        return []

    def _say(self) -> list[Event] | None:
        """Text up to the next mark, or as far as none can have begun."""
        found = [(self.text.find(mark), -len(mark), mark) for mark in self.marks if mark in self.text]
        at, _, mark = min(found, default=(len(self.text), 0, ""))
        held = self._held()
        if mark and at < held:
            said, self.text = self.text[:at], self.text[at + len(mark) :]
            self.step = self._stopped if mark in self.stops else self._call if mark == self.before else self._say
            return _content(said.rstrip() if mark == self.before else said)
        said, self.text = self.text[:held], self.text[held:]
        return _content(said) if said else None

    def _call(self) -> list[Event] | None:
        """The JSON of a call up to its own end; what cannot be read as one is text."""
        if not (start := self.text.lstrip()):
            return None
        if start[0] not in "{[":
            self.step = self._say
            return _content(self.before)
        if (end := json_end(self.text)) is None:
            return None
        whole, self.text = self.text[:end], self.text[end:]
        found = written(whole, self.form) if self.form else None
        self.step = self._say if found is None else self._after
        self.called |= bool(found)
        return _content(self.before + whole) if found is None else list(map(_called, found))

    def _after(self) -> list[Event] | None:
        """What closes a call is not shown."""
        after = self.form.after if self.form else ""
        if self.text != after and after.startswith(self.text):
            return None
        self.text, self.step = self.text.removeprefix(after), self._say
        return []

    def _stopped(self) -> None:
        self.text = ""

    def _held(self) -> int:
        """Where a mark may have begun; white space before a call goes with it."""
        if self.ended:
            return len(self.text) + 1
        begun = [len(self.text) - size for mark in self.marks for size in _begun(self.text, mark)]
        at = min(begun, default=len(self.text))
        return len(self.text[:at].rstrip()) if self.before else at

    def _without_begun(self) -> str:
        sizes = [size for size in _begun(self.text, self.before) if self.before[:size].strip()]
        kept = self.text[: len(self.text) - max(sizes, default=0)]
        return kept.rstrip() if sizes or self.called else kept


def _begun(text: str, mark: str) -> list[int]:
    """The sizes of the beginnings of a mark with which a text ends."""
    return [size for size in range(1, len(mark)) if text.endswith(mark[:size])]


def _content(text: str) -> list[Event]:
    return [{"type": "region_chunk", "field": "content", "text": text}] if text else []


def _called(call: Call) -> Event:
    return {"type": "region_close", "field": "tool_calls", "value": {"type": "function", "function": call}}
