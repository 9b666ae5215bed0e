"""A conversation with a model in a folder: turns in, the answer piece by piece out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smolrecipes.ask.adapted import adapted
from smolrecipes.ask.load import load
from smolrecipes.cli.calls import Message, called, spoken
from smolrecipes.cli.folder import changed, is_adapter, run_folder
from smolrecipes.conversation.calls import Call, own_form
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError


class Conversation:
    """A model, its tokenizer, what functions it is offered, and what was said so far."""

    def __init__(self, folder: Path, decoding: Decoding, system: str = "", name: str = "") -> None:
        self.name = name or str(folder)
        self.folder = folder
        self.model, self.tokenizer = adapted(folder, run_folder(folder)) if is_adapter(folder) else load(folder)
        self.template = bool(self.tokenizer.chat_template)
        self.form = own_form(self.tokenizer)
        self.decoding = self._own = decoding
        self._changes: dict[str, Any] = {}
        self._answers = 0
        self.system = ""
        self.tools: list[dict[str, Any]] = []
        self.messages: list[Message] = []
        if system:
            self.needs_template("a system message")
        self.begin(system)

    @property
    def device(self) -> str:
        """Where the model is: cuda, mps or cpu."""
        return str(self.model.device.type)

    @property
    def row(self) -> dict[str, Any]:
        """The conversation as a row to train on."""
        return {"messages": self.messages, **({"tools": self.tools} if self.tools else {})}

    def needs_template(self, what: str) -> None:
        """RecipeError where the tokenizer has no chat template to write `what` with."""
        if not self.template:
            raise RecipeError(f"{self.name}: the tokenizer has no chat template, so there is no place for {what}")

    def needs_tools(self, tools: list[dict[str, Any]]) -> None:
        """RecipeError where the chat template does not write functions: some leave them out without a word."""
        from smolrecipes.conversation.render import render

        self.needs_template("functions")
        asked = [{"role": "user", "content": "?"}]
        if render(asked, self.tokenizer, tools, prompt=True) == render(asked, self.tokenizer, None, prompt=True):
            raise RecipeError(f"{self.name}: the chat template writes no functions, so the model would see none")

    def begin(self, system: str) -> None:
        """Forgets what was said; the system message is `system` from now on."""
        self.system = system
        self.reset()

    def offer(self, tools: list[dict[str, Any]]) -> None:
        """Forgets what was said; these functions are offered from now on."""
        self.tools = tools
        self.reset()

    def reset(self) -> None:
        """Forgets what was said; the system message and the functions stay."""
        self.messages = [{"role": "system", "content": self.system}] if self.system else []

    def write(self, **changes: Any) -> None:
        """Changes how it writes, over the decoding that it began with."""
        self.decoding = changed(self._own, {**self._changes, **changes})
        self._changes |= changes

    def answer(self, text: str) -> Iterator[str]:
        """The answer to `text` as it is generated; without a chat template, what follows `text`."""
        return self._go_on([{"role": "user", "content": text}])

    def told(self, results: list[Message]) -> Iterator[str]:
        """The answer to what functions gave, messages of the role tool."""
        return self._go_on(results)

    def calls(self) -> list[Call] | None:
        """The functions that the last answer calls; None where it tries to and cannot be read."""
        return called(self.messages[-1], bool(self.tools), self.form)

    def _go_on(self, more: list[Message]) -> Iterator[str]:
        from torch import manual_seed

        from smolrecipes.generate import stream

        manual_seed(self._answers)  # else every answer is drawn with the same numbers, since `stream` puts them back
        self._answers += 1
        asked = [*self.messages, *more]
        prompt = asked if self.template else str(more[-1]["content"])
        said = ""
        for piece in stream(self.model, self.tokenizer, prompt, self.decoding, self.tools or None):
            said += piece
            yield piece
        self.messages = [*asked, spoken(said, bool(self.tools), self.form)]
