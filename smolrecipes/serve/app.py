"""The edge: routes, errors in OpenAI's form, one answer or a stream of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from smolrecipes.errors import RecipeError
from smolrecipes.serve.asked import Chat, Refused, Text, read

Chunk = dict[str, Any]


class Served(Protocol):
    """A model that answers in OpenAI's chunks, the last of them with `usage`."""

    name: str
    template: bool
    """Whether it chats, and not only continues texts."""

    def chat(self, asked: Chat) -> AsyncIterator[Chunk]: ...
    def text(self, asked: Text) -> AsyncIterator[Chunk]: ...
    async def close(self) -> None: ...


def app(served: Served, created: int) -> Starlette:
    """The API of one model; `state.cut` ends the answers that are being written."""
    card = {"id": served.name, "object": "model", "created": created, "owned_by": "smolrecipes"}

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [card]})

    async def model(request: Request) -> Response:
        _check_name(request.path_params["name"], served)
        return JSONResponse(card)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def chat(request: Request) -> Response:
        return await _answered(request, read(Chat, await request.body()), served, served.chat)

    async def text(request: Request) -> Response:
        return await _answered(request, read(Text, await request.body()), served, served.text)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await served.close()

    routes = [
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/completions", text, methods=["POST"]),
        Route("/health", health),
    ]
    handlers: Any = {RecipeError: _refused, HTTPException: _no_route, Exception: _failed}
    made = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    made.state.cut = asyncio.Event()
    return made


async def _answered(
    request: Request, asked: Any, served: Served, answer: Callable[[Any], AsyncIterator[Chunk]]
) -> Response:
    _check_name(asked.model, served)
    endings = [asyncio.create_task(request.app.state.cut.wait())]
    if not asked.stream:  # in a stream it is found out by writing
        endings.append(asyncio.create_task(_gone(request)))
    chunks = _until(endings, answer(asked))
    first = await anext(chunks)  # in which all is refused that can be
    if asked.stream:
        lines = _events(first, chunks, asked.stream_options.include_usage)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    return JSONResponse(await _whole(first, chunks))


async def _until(endings: list[asyncio.Task[Any]], chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The chunks, until one of the endings comes: then no more is written."""
    upcoming = asyncio.create_task(_next(chunks))
    try:
        while True:
            await asyncio.wait([upcoming, *endings], return_when=asyncio.FIRST_COMPLETED)
            if not upcoming.done():
                raise Refused("the server stops, and this answer was cut", status=503, kind="server_error")
            if (chunk := upcoming.result()) is None:
                return
            upcoming = asyncio.create_task(_next(chunks))
            yield chunk
    finally:
        for task in (upcoming, *endings):
            task.cancel()


async def _next(chunks: AsyncIterator[Chunk]) -> Chunk | None:
    return await anext(chunks, None)


async def _gone(request: Request) -> None:
    """Ends when nobody waits for the answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(first: Chunk, chunks: AsyncIterator[Chunk], usage: bool) -> AsyncIterator[str]:
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
    except (RecipeError, RuntimeError) as error:
        yield f"data: {json.dumps(_error(str(error), 'server_error'))}\n\n"


async def _whole(first: Chunk, chunks: AsyncIterator[Chunk]) -> Chunk:
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
        choice["message"] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
        choice["message"] |= {"tool_calls": calls} if calls else {}
    kind = first["object"].removesuffix(".chunk")
    return {
        **{name: first[name] for name in ("id", "created", "model")},
        "object": kind,
        "choices": [choice],
        "usage": usage,
    }


def _check_name(name: str, served: Served) -> None:
    if name != served.name:
        raise Refused(f"there is no model '{name}' here; this is '{served.name}'", "model", 404, "model_not_found")


def _error(message: str, kind: str, param: str | None = None, code: str | None = None) -> Chunk:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


async def _refused(_: Request, error: RecipeError) -> Response:
    status = getattr(error, "status", 400)
    param, code = getattr(error, "param", None), getattr(error, "kind", None)
    return JSONResponse(_error(str(error), "invalid_request_error", param, code), status)


async def _no_route(request: Request, error: HTTPException) -> Response:
    message = f"there is no {request.method} {request.url.path} here"
    return JSONResponse(_error(message, "invalid_request_error"), error.status_code, error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse(_error(f"{type(error).__name__}: {error}", "server_error"), 500)
