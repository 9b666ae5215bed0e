"""The edge: routes, and errors in OpenAI's form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from smolrecipes.errors import RecipeError
from smolrecipes.serve.answers import Chunk, error_body, events, gone, until, whole
from smolrecipes.serve.asked import Chat, Text, read
from smolrecipes.serve.parts import Refused


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
    pieces = answer(asked)
    endings = [asyncio.create_task(request.app.state.cut.wait())]
    if not asked.stream:  # in a stream it is found out by writing
        endings.append(asyncio.create_task(gone(request)))
    chunks = until(endings, pieces)
    first = await anext(chunks)  # in which all is refused that can be
    if asked.stream:
        lines = events(first, chunks, asked.stream_options.include_usage)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    return JSONResponse(await whole(first, chunks))


def _check_name(name: str, served: Served) -> None:
    if name != served.name:
        raise Refused(f"there is no model '{name}' here; this is '{served.name}'", "model", 404, "model_not_found")


async def _refused(_: Request, error: RecipeError) -> Response:
    status = getattr(error, "status", 400)
    param, code = getattr(error, "param", None), getattr(error, "kind", None)
    kind = "invalid_request_error" if status < 500 else "server_error"
    return JSONResponse(error_body(str(error), kind, param, code), status)


async def _no_route(request: Request, error: HTTPException) -> Response:
    message = f"there is no {request.method} {request.url.path} here"
    return JSONResponse(error_body(message, "invalid_request_error"), error.status_code, error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse(error_body(f"{type(error).__name__}: {error}", "server_error"), 500)
