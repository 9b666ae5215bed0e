"""FIM: a decoder learns to write what is missing between a beginning and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean, Objective
from smolrecipes.limits import Ge, Le

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.random import Generator
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout

MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


class FIM(Objective, name="fim"):
    """Fill in the middle (arXiv:2207.14255): documents cut at two places drawn at random, with the middle at the end.

    Every document stands by itself, a long one as several pieces; its middle ends with eos, as does one that is left as it is.
    """

    rows: ClassVar[tuple[str, ...]] = ("text",)
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...]] = ()

    rate: Annotated[float, Ge(0), Le(1)] = 0.5
    """Share of the documents that are cut; the others are read from left to right."""
    suffix_first: Annotated[float, Ge(0), Le(1)] = 0.5
    """Share of those whose end comes before their beginning (SPM), as when text is continued in an editor; else PSM."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The document's tokens; None for an empty one."""
        return self.prepare_many([row], tokenizer, max_length)[0]

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """As `prepare`, many documents at a time."""
        from smolrecipes.objectives.framed import encode

        marks(tokenizer)
        found = encode([row["text"] for row in rows], tokenizer)  # a text on these marks spells them, and means none
        return [{"input_ids": ids} if len(ids) else None for ids in found]

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Pieces of documents, with room for the three marks and the end."""
        from smolrecipes.objectives.blocks import apart

        if max_length < 5:
            raise RecipeError(f"training.max_length={max_length}: fim puts four control tokens into a text")
        return apart(examples, max_length - 3)

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The document, cut or not."""
        ids, (prefix, suffix, middle) = list(example["input_ids"]), marks(tokenizer)
        made = ids
        if rng.random() < self.rate:
            first, second = sorted(rng.integers(0, len(ids) + 1, 2).tolist())
            begin, mid, end = ids[:first], ids[first:second], ids[second:]
            if rng.random() < self.suffix_first:
                made = [prefix, suffix, *end, middle, *begin, *mid]
            else:
                made = [prefix, *begin, suffix, *end, middle, *mid]
        return {**example, "input_ids": [*made, tokenizer.eos_token_id]}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Every next token is a label."""
        return layout([(e["input_ids"], e["input_ids"]) for e in examples])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the predicted ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})


def marks(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int, int]:
    """The ids of the three marks: before the beginning, before the end, before the middle."""
    known = tokenizer.get_vocab()
    if missing := [mark for mark in MARKS if mark not in known]:
        raise RecipeError(
            f"fim needs {' and '.join(missing)} in the tokenizer; train one with tokenizer.extra={list(MARKS)}"
        )
    prefix, suffix, middle = (known[mark] for mark in MARKS)
    return prefix, suffix, middle
