"""Chunks of an answer as a stream of events, or as one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from smolrecipes.serve.parts import Refused

Chunk = dict[str, Any]
"""In OpenAI's form, as streams have it."""


async def until(endings: list[asyncio.Task[Any]], chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The chunks, until one of the endings comes: then no more is written."""
    upcoming = asyncio.create_task(_next(chunks))
    try:
        while True:
            await asyncio.wait([upcoming, *endings], return_when=asyncio.FIRST_COMPLETED)
            if not upcoming.done():
                raise Refused("the server stops, and this answer was cut", status=503)
            if (chunk := upcoming.result()) is None:
                return
            upcoming = asyncio.create_task(_next(chunks))
            yield chunk
    finally:
        for task in (upcoming, *endings):
            task.cancel()


async def _next(chunks: AsyncIterator[Chunk]) -> Chunk | None:
    return await anext(chunks, None)


async def gone(request: Request) -> None:
    """Ends when nobody waits for the answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def events(first: Chunk, chunks: AsyncIterator[Chunk], usage: bool) -> AsyncIterator[str]:
    """Server-sent events; `usage` comes last, alone, and only to those who ask for it."""
    spent, chunk = None, first
    try:
        while True:
            spent = chunk.pop("usage", None) or spent
            for choice in chunk["choices"]:
                choice.setdefault("finish_reason", None)
            if chunk["choices"]:
                yield f"data: {json.dumps(chunk)}\n\n"
            last, chunk = chunk, await anext(chunks)
    except StopAsyncIteration:
        if usage:
            yield f"data: {json.dumps({**last, 'choices': [], 'usage': spent})}\n\n"
        yield "data: [DONE]\n\n"
    except Exception as error:  # told in the stream, which has begun: no other answer can be given any more
        yield f"data: {json.dumps(error_body(str(error), 'server_error'))}\n\n"


async def whole(first: Chunk, chunks: AsyncIterator[Chunk]) -> Chunk:
    """The chunks as one answer."""
    text, calls, reason, usage = "", list[Any](), None, first.get("usage")
    chunk: Chunk | None = first
    while chunk:
        for choice in chunk["choices"]:
            delta = choice.get("delta", {})
            text += choice.get("text") or delta.get("content") or ""
            calls += [
                {name: call[name] for name in ("id", "type", "function")} for call in delta.get("tool_calls") or []
            ]
            reason = choice.get("finish_reason") or reason
        usage = chunk.get("usage") or usage
        chunk = await anext(chunks, None)
    choice = {"index": 0, "finish_reason": reason, "logprobs": None}
    if first["object"] == "text_completion":
        choice["text"] = text
    else:
        said = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
        choice["message"] = {**said, "tool_calls": calls} if calls else said
    named = {name: first[name] for name in ("id", "created", "model")}
    return {**named, "object": first["object"].removesuffix(".chunk"), "choices": [choice], "usage": usage}


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> Chunk:
    """An error in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
