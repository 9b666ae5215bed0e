"""One answer of a checkpoint: to transformers' handlers it is the model and the processor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from transformers import BatchEncoding, LogitsProcessor

from smolrecipes.conversation.calls import Form
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.generate import ends, room, settings, untouched
from smolrecipes.serve.asked import Asked
from smolrecipes.serve.parser import Parser
from smolrecipes.serve.parts import Refused

if TYPE_CHECKING:
    from smolrecipes.serve.checkpoint import Checkpoint


class Writing:
    """What is read, and how the answer is written."""

    generation_config = None
    config = SimpleNamespace(model_type="smolrecipes")
    """Of which transformers knows no parser: ours is taken."""
    given_up = False
    """Whether nobody waits for it any more."""

    def __init__(
        self, served: Checkpoint, ids: list[int], how: Decoding, asked: Asked, held: str | None, form: Form | None
    ) -> None:
        self.name, self.served, self.how, self.seed = served.name, served, how, asked.seed
        self.ids, self.held, self.grammars = ids, held, held and served.grammars
        model, tokenizer = served.model, served.tokenizer
        self.settings = settings(model, tokenizer, how, self._room(asked))
        self.settings.stop_strings = asked.stop or None
        marks = {
            str(token): i in ends(tokenizer) for i, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        stops = [*asked.stop, *(token for token, closes in marks.items() if closes)]
        self.parser = Parser(form, stops, [token for token, closes in marks.items() if not closes])

    def _room(self, asked: Asked) -> int:
        try:
            return room(self.served.model, [self.ids], self.how.max_new_tokens)
        except RecipeError as error:
            raise Refused(f"{asked.read}: {error}", asked.read) from None

    @property
    def device(self) -> torch.device:
        return self.served.model.device  # type: ignore[no-any-return]

    @property
    def _tokenizer(self) -> Any:
        return self.served.tokenizer.backend_tokenizer

    def __call__(self, *_: Any, **__: Any) -> BatchEncoding:
        """What was read, once more."""
        ids = torch.tensor([self.ids])
        return BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    apply_chat_template = __call__

    def decode(self, ids: Any) -> str:
        return str(self.served.tokenizer.decode(ids))

    def generate(self, input_ids: Any, attention_mask: Any, streamer: Any, **_: Any) -> None:
        """Writes into the streamer, at once where the text is known at its end only."""
        if self.given_up:
            return
        model, tokenizer = self.served.model, self.served.tokenizer
        given = {"attention_mask": attention_mask, "generation_config": self.settings, "tokenizer": tokenizer}
        given |= self.how.helper(model, tokenizer)
        if self.held:
            given["logits_processor"] = [Held(self.held, self.grammars, input_ids.shape[1])]
        late = self.how.beams > 1 or self.how.guesses
        with untouched(model):
            torch.seed() if self.seed is None else torch.manual_seed(self.seed)
            written = model.generate(input_ids, **given, streamer=None if late else streamer)
        if late:
            start = 1 if model.config.is_encoder_decoder else input_ids.shape[1]
            for tokens in (input_ids[0], written[0, start:]):  # of which the streamer leaves out the first
                streamer.put(tokens)
            streamer.end()


class Held(LogitsProcessor):  # type: ignore[misc]
    """Allows only the tokens with which the grammar can go on."""

    def __init__(self, held: str, grammars: Any, prompt: int) -> None:
        from llguidance import LLMatcher

        self.matcher, self.read = LLMatcher(grammars, held), prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for token in input_ids[0, self.read :].tolist():
            self.matcher.consume_token(token)
        self.read = input_ids.shape[1]
        allowed = torch.frombuffer(bytearray(self.matcher.compute_logit_bias()), dtype=torch.uint8).bool()
        if self.matcher.is_error():
            raise RuntimeError(f"the grammar was left: {self.matcher.get_error()}")
        barred = torch.ones(scores.shape[-1], dtype=torch.bool)
        barred[: len(allowed)] = ~allowed[: scores.shape[-1]]
        return scores.masked_fill(barred.to(scores.device), float("-inf"))
