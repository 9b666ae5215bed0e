"""A conversation with a model in a folder: turns in, the answer piece by piece out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError


class Conversation:
    """A model, its tokenizer, and what was said so far."""

    def __init__(self, folder: Path, decoding: Decoding, system: str = "") -> None:
        from accelerate import PartialState
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        from smolrecipes.hub import sentences

        logging.disable_progress_bar()
        with sentences(str(folder)):
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self.model: Any = AutoModelForCausalLM.from_pretrained(folder)
        self.template = bool(self.tokenizer.chat_template)
        self.decoding = decoding
        self.system = ""
        self.messages: list[dict[str, str]] = []
        self.begin(system)
        # the device that accelerate, and so the trainer, would take
        self.model.to(PartialState().default_device)

    @property
    def device(self) -> str:
        """Where the model is: cuda, mps or cpu."""
        return str(self.model.device.type)

    def begin(self, system: str) -> None:
        """Forgets what was said; the system message is `system` from now on."""
        if system and not self.template:
            raise RecipeError("the tokenizer has no chat template, so there is no place for a system message")
        self.system = system
        self.reset()

    def reset(self) -> None:
        """Forgets what was said; the system message stays."""
        self.messages = [{"role": "system", "content": self.system}] if self.system else []

    def answer(self, text: str) -> Iterator[str]:
        """The answer to `text` as it is generated; without a chat template, what follows `text`."""
        from smolrecipes.generate import stream

        asked = [*self.messages, {"role": "user", "content": text}]
        said = ""
        for piece in stream(self.model, self.tokenizer, asked if self.template else text, self.decoding):
            said += piece
            yield piece
        self.messages = [*asked, {"role": "assistant", "content": said}]
