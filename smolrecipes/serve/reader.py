"""llama.cpp's chunks with the calls read: it knows the form of some templates only."""

from __future__ import annotations

import uuid
from typing import Any

from smolrecipes.conversation.calls import Form
from smolrecipes.serve.parser import Parser


class Reader:
    """Chunks in, chunks out; without a form they stay as they are."""

    def __init__(self, form: Form | None) -> None:
        self.parser = Parser(form) if form else None
        self.calls = 0

    def read(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        chunk.pop("timings", None)
        if not self.parser or not chunk["choices"]:
            return [chunk]
        (choice,) = chunk["choices"]
        text, ended = choice["delta"].pop("content", None), choice["finish_reason"]
        events = self.parser.feed(text) if text else []
        if ended:
            events += self.parser.finalize(cut=ended == "length")[1]
        deltas = self._deltas(events)
        read = [{**chunk, "choices": [{**choice, "delta": delta, "finish_reason": None}]} for delta in deltas]
        if ended == "stop" and self.calls:
            choice["finish_reason"] = "tool_calls"
        return [*read, chunk] if ended or choice["delta"] else read

    def _deltas(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from transformers.cli.serving.utils import ToolCall, response_events_to_chunks

        return [
            self._call(one) if isinstance(one, ToolCall) else {"content": one}
            for one in response_events_to_chunks(events)
        ]

    def _call(self, call: Any) -> dict[str, Any]:
        self.calls += 1
        function = {"name": call.name, "arguments": call.arguments}
        identity = {"index": self.calls - 1, "id": f"call_{uuid.uuid4().hex}", "type": "function"}
        return {"tool_calls": [{**identity, "function": function}]}
