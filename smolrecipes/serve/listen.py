"""The server as a process: a port of its own from the start, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smolrecipes.errors import RecipeError
from smolrecipes.serve.app import Served, app

GRACE = 5
"""Seconds in which answers may end after a signal; then they are cut."""
LAST = 5
"""Seconds more until connections are cut that do not even take that."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A port that is ours before a model is loaded; a signal ends the process in good order from here on."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise RecipeError(f"serve: cannot listen at {host}:{port} ({reason}); give another --port or --host") from error
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _end)
    with made:
        yield made


def serve(served: Served, made: socket.socket, created: float, example: str) -> None:
    """Answers until a signal comes."""
    import uvicorn

    class Ending(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            asyncio.get_running_loop().call_later(GRACE, self.cut)
            await super().shutdown(sockets)

        def cut(self) -> None:
            api.state.cut.set()
            for connection in list(self.server_state.connections):  # those that came late are not closed by uvicorn
                connection.shutdown()

    api = app(served, int(created))
    settings: Any = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": GRACE + LAST}
    server = Ending(uvicorn.Config(api, **settings))
    host, port = made.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    route = "chat/completions" if served.template else "completions"
    asked = '"messages": [{"role": "user", "content": "Hello!"}]' if served.template else '"prompt": "Once"'
    print(example.format(name=served.name, url=url, route=route, asked=asked), flush=True)
    server.run(sockets=[made])


def _end(*_: object) -> None:
    sys.exit(0)
