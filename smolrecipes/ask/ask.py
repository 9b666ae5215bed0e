"""One question to one model: which head it has says what it does with texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Answer(NamedTuple):
    """What a model made of the texts."""

    text: str
    """For people."""
    data: Any
    """For programs: JSON."""


class How(NamedTuple):
    """The function that asks a head, and the texts it takes."""

    function: str
    least: int
    most: int
    takes: str


WRITERS = ("causal", "seq2seq")
"""Heads that write, and so are told how."""
HOW = {
    **dict.fromkeys(("masked", "pretraining", "entities", "permutation"), How("fill.fill", 1, 1, "a text with {mask} in it")),
    "discriminator": How("fill.detect", 1, 1, "a text some of whose words may be wrong"),
    **dict.fromkeys(WRITERS, How("write.write", 1, 1, "one text")),
    "sequence-classification": How("judge.classify", 1, 2, "one text, or two"),
    "regression": How("judge.rate", 1, 2, "one text, or two"),
    "multiple-choice": How("judge.choose", 3, 99, "a text and then its choices"),
    "token-classification": How("point.tag", 1, 1, "one text, its words apart from punctuation"),
    "question-answering": How("point.answer", 2, 2, "a question and then a text"),
}  # fmt: skip


def ask(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    decoding: Decoding | None = None,
    top: int = 5,
    source: str = "",
    target: str = "",
    plain: bool = False,
) -> Answer:
    """What the model answers, by its head.

    decoding: of a model that writes. top: how many words or classes are named. source, target: the languages of a model
    that tells them by tokens. plain: a text is continued, also where the tokenizer has a chat template. RecipeError where the texts are not what the head takes.
    """
    import torch

    from smolrecipes.architectures.heads import head_of

    head = head_of(model.config, type(model).__name__)
    how = HOW[head]
    takes = how.takes.format(mask=tokenizer.mask_token)
    if not how.least <= len(texts) <= how.most:
        raise RecipeError(f"this model ({head}) takes {takes}, not {len(texts)} text{'s' * (len(texts) != 1)}")
    if not all(texts):
        which = "the text" if len(texts) == 1 else f"text {[*texts].index('') + 1} of {len(texts)}"
        raise RecipeError(f"{which} is empty; this model ({head}) takes {takes}")
    module, _, name = how.function.partition(".")
    function: Callable[..., Answer] = getattr(import_module(f"smolrecipes.ask.{module}"), name)
    spoken = {"source": source} if module == "fill" and getattr(model.config, "lang2id", None) else {}
    if module != "write" and (decoding is not None or (source and not spoken) or target):
        given = "decoding" if decoding is not None else "target" if target else "source"
        raise RecipeError(f"this model ({head}) does not write, so it has no use for --{given}")
    if module == "write":
        return function(model, tokenizer, texts[0], decoding or Decoding(), source, target, plain)
    mode = model.training
    try:
        with torch.no_grad():
            return function(model.eval(), tokenizer, texts, top, **spoken)
    finally:
        model.train(mode)


def ranked(names: Sequence[str], shares: Sequence[float], top: int) -> list[tuple[str, float]]:
    """The likeliest first, at most `top` of them."""
    return sorted(zip(names, map(float, shares), strict=True), key=lambda one: -one[1])[:top]


def listed(found: Sequence[tuple[str, float]]) -> str:
    """`positive 97.1 %, negative 2.9 %`."""
    return ", ".join(f"{name} {share:.1%}" for name, share in found)
