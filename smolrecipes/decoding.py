"""How text is written by a model: for samples, `try`, chat and evaluation alike. Nothing else decides it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from smolrecipes.component import Component
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Ge, Gt, Le, Positive

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SAMPLED = ("top_p", "top_k", "min_p", "typical_p")


class Decoding(Component):
    """Greedy, unless a temperature or beams are given. What is not said here is off: there is no hidden `top_k`.

    The library pads prompts: on the left for models that continue, on the right for encoders.
    """

    max_new_tokens: Positive = 64
    """Tokens to generate at most."""
    temperature: Annotated[float, Ge(0)] = 0.0
    """0 takes the likeliest token; otherwise logits are divided by it and sampled."""
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    """Sample from the smallest set of tokens with at least this probability (arXiv:1904.09751)."""
    top_k: Annotated[int, Ge(0)] = 0
    """Sample from this many likeliest tokens (arXiv:1805.04833); 0 from all."""
    min_p: Annotated[float, Ge(0), Le(1)] = 0.0
    """Sample from the tokens with at least this share of the likeliest one's probability (arXiv:2407.01082)."""
    typical_p: Annotated[float, Gt(0), Le(1)] = 1.0
    """Sample from the tokens of about the expected surprise, with this probability together (arXiv:2202.00666)."""
    beams: Positive = 1
    """Follow so many of the likeliest beginnings (beam search); with a temperature, drawn ones."""
    length_penalty: float = 1.0
    """Of beams: their log-probability is divided by their length to this power (arXiv:1609.08144); above 1, longer ones win."""
    repetition_penalty: Annotated[float, Gt(0)] = 1.0
    """Divides the logits of tokens that were seen (arXiv:1909.05858)."""
    no_repeat_ngram: Annotated[int, Ge(0)] = 0
    """No run of so many tokens is written twice (arXiv:1705.04304); 0 allows any."""
    prompt_lookup: Annotated[int, Ge(0)] = 0
    """Guess so many tokens by looking up the last ones in the prompt; the text stays the same, in fewer passes."""
    assistant: str | None = None
    """A smaller model with the same tokenizer, a folder or a hub id, that guesses the next tokens (arXiv:2211.17192)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        sampled = [name for name in SAMPLED if name in self.changed()]
        if sampled and not self.temperature:
            raise RecipeError(
                f"Decoding.{sampled[0]} is for sampling, and temperature=0 does not; give temperature=1.0"
            )
        if self.beams == 1 and "length_penalty" in self.changed():
            raise RecipeError("Decoding.length_penalty is for beam search; give beams as well")
        guesses = [name for name in ("prompt_lookup", "assistant") if getattr(self, name)]
        if len(guesses) > 1 or (guesses and self.beams > 1):
            others = guesses[1:] or ["beams"]
            raise RecipeError(f"Decoding: give {guesses[0]} or {others[0]}, not both")

    @property
    def guesses(self) -> bool:
        """Whether tokens are guessed and then checked, which works on one text at a time."""
        return bool(self.prompt_lookup or self.assistant)

    def settings(self) -> dict[str, Any]:
        """As transformers' GenerationConfig calls it, every setting explicitly."""
        drawn = {name: getattr(self, name) for name in ("temperature", *SAMPLED)} if self.temperature else {}
        if not self.min_p:
            drawn.pop("min_p", None)
        beams = {"length_penalty": self.length_penalty, "early_stopping": True} if self.beams > 1 else {}
        lookup = {"prompt_lookup_num_tokens": self.prompt_lookup} if self.prompt_lookup else {}
        return {
            "do_sample": self.temperature > 0,
            "num_beams": self.beams,
            "repetition_penalty": self.repetition_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram,
            **drawn,
            **beams,
            **lookup,
        }

    def helper(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The assistant as an argument of `model.generate`, loaded; nothing without one."""
        if not self.assistant:
            return {}
        made, vocabulary = _assistant(self.assistant, "seq2seq" if model.config.is_encoder_decoder else "causal")
        if vocabulary != tokenizer.get_vocab():
            raise RecipeError(f"Decoding.assistant: the tokenizer of {self.assistant} is not the model's")
        return {"assistant_model": made.to(model.device)}


@lru_cache(maxsize=1)
def _assistant(path: str, head: str) -> tuple[Any, dict[str, int]]:
    """An assistant and its vocabulary, loaded once."""
    from transformers import AutoTokenizer

    from smolrecipes import hub
    from smolrecipes.architectures.heads import auto_class

    hub.folder(path, ("config.json",))
    with hub.sentences(path, None):
        return auto_class(head).from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path).get_vocab()
