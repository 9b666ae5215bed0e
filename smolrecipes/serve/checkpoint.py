"""A checkpoint, served by the parts of `transformers serve`: its handlers, the thread that generates, its streams."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from transformers.cli.serving.utils import Modality
from transformers.utils import logging

from smolrecipes.ask.load import check_writes, load
from smolrecipes.conversation.calls import own_form
from smolrecipes.conversation.cut import as_it_is
from smolrecipes.conversation.tokens import opening, prompt_ids
from smolrecipes.decoding import SAMPLED, Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.generate import ends, source_ids
from smolrecipes.serve.asked import Asked, Chat, Text
from smolrecipes.serve.form import check, grammar
from smolrecipes.serve.handlers import Chats, Manager, Texts, chunk_of
from smolrecipes.serve.writing import Writing

PATIENCE = 30.0
"""Seconds that a stopping server waits for the token that is being written."""


class Checkpoint:
    """A model in a folder; requests are answered one after the other."""

    def __init__(self, folder: Path, name: str, decoding: Decoding) -> None:
        logging.set_verbosity_error()  # its handlers tell each request
        check_writes(folder, "it is not served; 'smolrecipes try' asks it")
        self.name, self.decoding = name, decoding
        self.model, self.tokenizer = load(folder)
        self.template = bool(self.tokenizer.chat_template)
        self.form = own_form(self.tokenizer)
        self.manager = Manager()
        state = SimpleNamespace(use_continuous_batching=lambda *_: False, get_manager=lambda *_, **__: self.manager)
        kind = SimpleNamespace(get_model_modality=lambda *_, **__: Modality.LLM)
        self.chats, self.texts = Chats(kind, state), Texts(kind, state)

    def chat(self, asked: Chat) -> AsyncIterator[dict[str, Any]]:
        """The answer in OpenAI's chunks."""
        if not self.template:
            raise RecipeError("messages: this model has no chat template, so it continues texts: ask /v1/completions")
        ids = prompt_ids(asked.said(), self.tokenizer, asked.offered())
        held = grammar(asked, self.form)
        if held:
            check(held, asked, self.grammars)
        return self._answer(self.chats, asked, ids, held, bool(asked.callable))

    def text(self, asked: Text) -> AsyncIterator[dict[str, Any]]:
        """What follows the text, in OpenAI's chunks; its control tokens are read as such."""
        if self.model.config.is_encoder_decoder:
            ids = source_ids(asked.prompt, self.tokenizer)
        else:
            ids = opening(as_it_is(asked.prompt), self.tokenizer)
        return self._answer(self.texts, asked, ids)

    async def _answer(
        self, handler: Any, asked: Asked, ids: list[int], held: str | None = None, calls: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        how = self._decoding(asked, bool(held))
        writing = Writing(self, ids, how, asked, held, self.form if calls else None)
        body = {"writing": writing, "stream": True, "messages": [], "prompt": ""}
        response = await handler.handle_request(body, f"{asked.kind}-{uuid.uuid4().hex}")
        try:
            async with aclosing(response.body_iterator) as parts:
                async for part in parts:
                    for event in filter(None, part.split("\n\n")):
                        yield chunk_of(event)
        finally:
            writing.given_up = True

    def _decoding(self, asked: Asked, held: bool) -> Decoding:
        said = asked.decoding()
        if said.get("temperature", self.decoding.temperature) == 0:  # then what says how to sample has no meaning
            said = {name: value for name, value in said.items() if name != "top_p"}
            said |= {name: self.decoding.options()[name].default for name in SAMPLED}
        if held:  # one text, token by token
            plain = ("beams", "length_penalty", "no_repeat_ngram", "prompt_lookup", "assistant")
            said |= {name: self.decoding.options()[name].default for name in plain}
        return self.decoding.replace(**said)

    @cached_property
    def grammars(self) -> Any:
        """The tokenizer as llguidance reads it; RecipeError where it cannot."""
        from llguidance.hf import from_tokenizer

        try:
            read = from_tokenizer(self.tokenizer, eos_token=ends(self.tokenizer))
        except ValueError as error:
            raise RecipeError(
                "this model's tokenizer cannot be held to a schema; one of bytes can, as ByteBPE"
            ) from error
        return read

    async def close(self) -> None:
        """Waits until nothing is written any more."""
        await asyncio.wait([asyncio.wrap_future(self.manager.submit(bool))], timeout=PATIENCE)
