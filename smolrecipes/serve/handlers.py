"""transformers' handlers and its thread, asked by a `Writing`."""

from __future__ import annotations

import json
from typing import Any

from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.completion import CompletionHandler
from transformers.cli.serving.utils import GenerateManager

from smolrecipes.serve.parts import Refused
from smolrecipes.serve.writing import Writing


class _Ours:
    """A handler's request is a `Writing`: model, processor and settings in one."""

    def _validate_request(self, body: dict[str, Any]) -> None:
        """Already done."""

    def _resolve_model(self, body: dict[str, Any]) -> tuple[str, Writing, Writing]:
        return body["writing"].name, body["writing"], body["writing"]

    def _build_generation_config(self, body: dict[str, Any], *_: Any, **__: Any) -> Any:
        return body["writing"].settings


class Chats(_Ours, ChatCompletionHandler):  # type: ignore[misc]
    """Chat completions."""


class Texts(_Ours, CompletionHandler):  # type: ignore[misc]
    """Completions."""


class Manager(GenerateManager):  # type: ignore[misc]
    """Chats and texts are read by our parser, so that they end before what stops them."""

    def generate_streaming(self, model: Any, processor: Any, inputs: Any, *given: Any, **more: Any) -> Any:
        return super().generate_streaming(
            model, processor, inputs, *given, **{**more, "response_parser": processor.parser}
        )


def chunk_of(event: str) -> dict[str, Any]:
    """A chunk of a stream; what went wrong is raised."""
    try:
        chunk: dict[str, Any] = json.loads(event.removeprefix("data: "))
    except ValueError:  # transformers does not quote what went wrong
        chunk = {"error": event}
    if "error" in chunk:
        raise Refused(f"the model failed ({chunk['error']})", status=500)
    return chunk
