"""transformers' handlers and its thread, asked by a `Writing`."""

from __future__ import annotations

import json
from typing import Any

from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.completion import CompletionHandler
from transformers.cli.serving.utils import GenerateManager, build_response_parser

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
    """Texts are read as answers are, so that they end before what stops them."""

    def generate_streaming(self, model: Any, processor: Any, inputs: Any, *given: Any, **more: Any) -> Any:
        reader = more.pop("response_parser", None) or build_response_parser(processor, model, inputs["input_ids"])
        return super().generate_streaming(model, processor, inputs, *given, response_parser=reader, **more)


def chunk_of(event: str) -> dict[str, Any]:
    """A chunk of a stream; what went wrong is raised."""
    try:
        chunk: dict[str, Any] = json.loads(event.removeprefix("data: "))
    except ValueError:  # transformers does not quote what went wrong
        chunk = {"error": event}
    if "error" in chunk:
        raise RuntimeError(str(chunk["error"]))
    return chunk
