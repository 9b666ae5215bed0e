"""A conversation with a model in a folder: turns in, the answer piece by piece out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smolrecipes.recipe import Decoding


class Conversation:
    """A model, its tokenizer, and what was said so far."""

    def __init__(self, folder: Path, decoding: Decoding, system: str = "") -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder).to(self.device).eval()
        self.template = bool(self.tokenizer.chat_template)
        self.settings = _settings(decoding)
        self.system = system
        self.messages: list[dict[str, str]] = []

    def reset(self) -> None:
        """Forgets what was said; the system message stays."""
        self.messages = []

    def answer(self, text: str) -> Iterator[str]:
        """The answer to `text` as it is generated; without a chat template, what follows `text`."""
        asked = [*self.messages, {"role": "user", "content": text}]
        said = ""
        for piece in self._generated(self._encoded(asked, text)):
            said += piece
            yield piece
        self.messages = [*asked, {"role": "assistant", "content": said}]

    def _encoded(self, messages: list[dict[str, str]], text: str) -> Any:
        if not self.template:
            return self.tokenizer(text, return_tensors="pt")
        system = [{"role": "system", "content": self.system}] if self.system else []
        return self.tokenizer.apply_chat_template(
            [*system, *messages], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )

    def _generated(self, inputs: Any) -> Iterator[str]:
        """Pieces of text from a thread that generates; what fails there fails here, and stopping here stops it."""
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        class Stop(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
                import torch

                return torch.full((ids.shape[0],), stopped.is_set(), device=ids.device)

        stopped = threading.Event()
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        failures: list[BaseException] = []

        def generate() -> None:
            try:
                kept = {name: tensor.to(self.device) for name, tensor in inputs.items() if name != "token_type_ids"}
                criteria = StoppingCriteriaList([Stop()])
                self.model.generate(**kept, **self.settings, streamer=streamer, stopping_criteria=criteria)
            except BaseException as error:
                failures.append(error)
                streamer.end()

        thread = threading.Thread(target=generate, daemon=True)
        thread.start()
        try:
            yield from streamer
        finally:
            stopped.set()
            thread.join()
        if failures:
            raise failures[0]


def _settings(decoding: Decoding) -> dict[str, Any]:
    """`generate`'s arguments: greedy, unless there is a temperature."""
    settings: dict[str, Any] = {
        "max_new_tokens": decoding.max_new_tokens,
        "do_sample": decoding.temperature > 0,
        "repetition_penalty": decoding.repetition_penalty,
    }
    if decoding.temperature > 0:
        settings |= {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": decoding.top_k}
    return settings
