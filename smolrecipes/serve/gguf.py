"""A GGUF file, served by llama.cpp: its own server, called in this process, several clients at once."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from smolrecipes.console import say
from smolrecipes.conversation.calls import form_of
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.llama_cpp import post, use_threads
from smolrecipes.serve.asked import Asked, Chat, Text
from smolrecipes.serve.form import check, grammar
from smolrecipes.serve.parts import Refused
from smolrecipes.serve.plain import check_plain
from smolrecipes.serve.reader import Reader

CLIENTS, CONTEXT = 4, 4096
"""How many are answered at once, and the tokens that each may use at most; fewer where the model reads fewer."""


class GGUF:
    """llama.cpp with a file."""

    def __init__(self, file: Path, name: str, decoding: Decoding) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path, params.warmup, params.verbosity = str(file), False, -1
        params.prefill_assistant = False  # else a conversation that ends with an answer would go on with it
        params.n_parallel, params.n_ctx, params.port = CLIENTS, CLIENTS * CONTEXT, 0
        use_threads(params)
        self.name, self.decoding = name, decoding
        try:
            self.server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise RecipeError(f"{file}: llama.cpp does not load it ({error}); make it again by its exporter") from error
        if left := unserved(decoding):
            say(f"{file.name}: llama.cpp has no {left}, which the recipe's decoding asks for; it answers without")
        self.template = _has(file, "tokenizer.chat_template")  # without one llama.cpp takes another's
        self.form = form_of(self._rendered) if self.template else None
        self.end = self._turn_end() if self.template else ""

    def chat(self, asked: Chat) -> AsyncIterator[dict[str, Any]]:
        """The answer in OpenAI's chunks."""
        if not self.template:
            raise RecipeError("messages: this model has no chat template, so it continues texts: ask /v1/completions")
        said, offered = asked.said(), asked.offered()
        check_plain(said, "messages", self._spells)
        check_plain(offered or [], "tools", self._spells)
        body: dict[str, Any] = {"messages": said, "chat_template_kwargs": {"tools": offered}}
        if held := grammar(asked, self.form):
            check(held, asked)
            body["grammar"] = grammar(asked, self.form, self.end)
        reader = Reader(self.form if asked.callable else None)
        return self._answer(self.server.handle_chat_completions, {**body, **self._how(asked)}, reader, asked)

    def text(self, asked: Text) -> AsyncIterator[dict[str, Any]]:
        """What follows the text, in OpenAI's chunks; its control tokens are read as such."""
        body = {"prompt": asked.prompt, **self._how(asked)}
        return self._answer(self.server.handle_completions, body, Reader(None), asked)

    async def _answer(
        self, function: Callable[..., None], body: dict[str, Any], reader: Reader, asked: Asked
    ) -> AsyncIterator[dict[str, Any]]:
        loop, chunks, given_up = asyncio.get_running_loop(), asyncio.Queue[Any](), threading.Event()

        def hear(chunk: Any) -> bool:
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            return given_up.is_set()

        def ask() -> None:
            try:
                function(body, hear)
                hear(None)
            except Exception as error:  # raised where the answer is read
                hear(error)

        threading.Thread(target=ask).start()  # not to be ended amid llama.cpp
        try:
            while chunk := await chunks.get():
                if isinstance(chunk, Exception):
                    raise Refused(f"llama.cpp failed ({type(chunk).__name__}: {chunk})", status=500) from chunk
                if "error" in chunk:
                    raise refusal(chunk["error"], asked.read)
                own = {"id": f"{asked.kind}-{chunk['id'].removeprefix('chatcmpl-')}", "model": self.name}
                for read in reader.read(chunk):
                    yield {**read, **own}
        finally:
            given_up.set()

    def _how(self, asked: Asked) -> dict[str, Any]:
        """The recipe's decoding as llama.cpp calls it, everything said, with what the request changes."""
        how = self.decoding
        plain = {"temperature": how.temperature, "top_p": how.top_p, "top_k": how.top_k, "min_p": how.min_p}
        more = {"typical_p": how.typical_p, "repeat_penalty": how.repetition_penalty, "repeat_last_n": CONTEXT}
        said = asked.decoding()
        most = said.pop("max_new_tokens", how.max_new_tokens)
        seed = {} if asked.seed is None else {"seed": asked.seed}
        stream = {"stream": True, "stream_options": {"include_usage": True}, "stop": asked.stop}
        return {**plain, **more, **said, "max_tokens": most, **seed, **stream}

    def _spells(self, text: str) -> bool:
        """Whether llama.cpp reads a control token in a text."""
        read, spelled = (self._ask("tokenize", {"content": text, "parse_special": way}) for way in (True, False))
        return read != spelled

    def _turn_end(self) -> str:
        """The token that ends a turn, where it is not the one that ends a text, the only one that a grammar expects."""
        said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "sr_said"}]
        after = self._rendered(said).partition("sr_said")[2].lstrip()
        asked = {"content": after, "parse_special": True, "with_pieces": True, "add_special": False}
        first = next(iter(self._ask("tokenize", asked)["tokens"]), {"piece": ""})["piece"]
        return first if re.fullmatch(r"<[^<>\s]+>", str(first)) and first != self._ask("props")["eos_token"] else ""

    def _rendered(self, messages: list[dict[str, Any]]) -> str:
        return str(self._ask("apply-template", {"messages": messages})["prompt"])

    def _ask(self, path: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        return post(self.server.listening_address, path, asked, timeout=60)

    async def close(self) -> None:
        """The process waits for what llama.cpp is about."""


def refusal(error: dict[str, Any], field: str) -> Refused:
    """What llama.cpp does not answer, without its advice on options that nobody has here."""
    if error.get("type") != "exceed_context_size_error":
        return Refused(error["message"], status=error["code"])
    has, most = error["n_prompt_tokens"], error["n_ctx"]
    return Refused(f"{field}: the prompt has {has} tokens, and {most} are read at most, the answer included", field)


def unserved(decoding: Decoding) -> str:
    """What changes answers in a recipe's decoding and is not to be had here, or nothing."""
    asked = {"beams": decoding.beams > 1, "no_repeat_ngram": decoding.no_repeat_ngram > 0}
    return " and no ".join(name for name, wanted in asked.items() if wanted)


def _has(file: Path, key: str) -> bool:
    """Whether a GGUF file holds a key."""
    import ctypes

    import xllamacpp.xllamacpp as library

    class Settings(ctypes.Structure):
        _fields_ = [("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p)]

    gguf = ctypes.CDLL(library.__file__)
    gguf.gguf_init_from_file.restype, gguf.gguf_init_from_file.argtypes = ctypes.c_void_p, [ctypes.c_char_p, Settings]
    gguf.gguf_find_key.restype, gguf.gguf_find_key.argtypes = ctypes.c_int64, [ctypes.c_void_p, ctypes.c_char_p]
    gguf.gguf_free.argtypes = [ctypes.c_void_p]
    opened = gguf.gguf_init_from_file(str(file).encode(), Settings(True, None))
    try:
        return int(gguf.gguf_find_key(opened, key.encode())) >= 0
    finally:
        gguf.gguf_free(opened)
