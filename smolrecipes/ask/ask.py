"""One question to one model: which head it has says what it does with texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from smolrecipes.ask.answer import Answer, Wish
from smolrecipes.ask.fill import detect, fill
from smolrecipes.ask.judge import choose, classify, rate
from smolrecipes.ask.point import answer, tag
from smolrecipes.ask.write import write
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Asks = Callable[[PreTrainedModel, PreTrainedTokenizerBase, Sequence[str], Wish], Answer]


class How(NamedTuple):
    """The function that asks a head, and the texts it takes."""

    asks: Asks
    least: int
    most: int
    takes: str


WRITERS = ("causal", "seq2seq")
"""Heads that write, and so are told how."""
HOW = {
    **dict.fromkeys(("masked", "pretraining", "entities", "permutation"), How(fill, 1, 1, "a text with {mask} in it")),
    "discriminator": How(detect, 1, 1, "a text some of whose words may be wrong"),
    **dict.fromkeys(WRITERS, How(write, 1, 1, "one text")),
    "sequence-classification": How(classify, 1, 2, "one text, or two"),
    "regression": How(rate, 1, 2, "one text, or two"),
    "multiple-choice": How(choose, 3, 99, "a text and then its choices"),
    "token-classification": How(tag, 1, 1, "one text, its words apart from punctuation"),
    "question-answering": How(answer, 2, 2, "a question and then a text"),
}


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
    """What the model answers, by its head; `Wish` says what each option is.

    RecipeError where the texts are not what the head takes, or where it has no use for an option.
    """
    from smolrecipes.architectures.heads import head_of
    from smolrecipes.generate import untouched

    wish, head = Wish(decoding, top, source, target, plain), head_of(model.config, type(model).__name__)
    _check_texts(texts, head, HOW[head].takes.format(mask=tokenizer.mask_token))
    if head not in WRITERS:
        _check_useful(wish, head, bool(getattr(model.config, "lang2id", None)))
    with untouched(model):
        return HOW[head].asks(model, tokenizer, texts, wish)


def _check_texts(texts: Sequence[str], head: str, takes: str) -> None:
    if not HOW[head].least <= len(texts) <= HOW[head].most:
        raise RecipeError(f"this model ({head}) takes {takes}, not {len(texts)} text{'s' * (len(texts) != 1)}")
    if not all(texts):
        which = "the text" if len(texts) == 1 else f"text {[*texts].index('') + 1} of {len(texts)}"
        raise RecipeError(f"{which} is empty; this model ({head}) takes {takes}")


def _check_useful(wish: Wish, head: str, languages: bool) -> None:
    """That nothing is asked for that only models have that write; languages: whether it has embeddings of them."""
    given = {"decoding": wish.decoding is not None, "target": wish.target, "source": wish.source and not languages}
    if useless := [name for name, is_given in given.items() if is_given]:
        raise RecipeError(f"this model ({head}) does not write, so it has no use for --{useless[0]}")
