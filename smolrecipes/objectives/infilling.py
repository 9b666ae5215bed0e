"""Infilling: an encoder reads a damaged text, the decoder writes the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge, Gt, Lt
from smolrecipes.objectives.documents import Documents

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.random import Generator
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class Infilling(Documents, name="infilling"):
    """BART's pretraining (arXiv:1910.13461, section 2.2): text infilling, and sentences in another order."""

    families: ClassVar[tuple[str, ...]] = ("encoder-decoder",)
    head: ClassVar[str] = "seq2seq"
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("documents",)

    share: Annotated[float, Gt(0), Lt(1)] = 0.3
    """Of the tokens, how many are cut out."""
    span: Annotated[float, Ge(0.5)] = 3.0
    """Tokens of a hole on average (Poisson); each becomes one mask token, one of no tokens too."""
    permute: bool = True
    """Whether sentences are read in another order."""

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """As all texts, and once more as `target_ids`: what the encoder reads the decoder writes, and both are counted."""
        from smolrecipes.objectives.blocks import with_targets

        return with_targets(super().arrange(examples, max_length, tokenizer))

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The damaged text, and the text as `target_ids`."""
        import numpy as np

        from smolrecipes.objectives.spans import infill, permute, sentinels
        from smolrecipes.objectives.text import wrapped

        marks = sentinels(tokenizer) if tokenizer.mask_token_id is None else (tokenizer.mask_token_id,)
        if not marks:
            raise RecipeError("infilling needs a tokenizer with a mask token, as tokenizer.specials=bart gives")
        ids = np.asarray(example["input_ids"])
        damaged = permute(ids, rng, tokenizer) if self.permute else ids
        seen = infill(damaged.tolist(), rng, marks[0], self.share, self.span)
        return {**example, "input_ids": wrapped(seen, tokenizer), "target_ids": wrapped(ids, tokenizer)}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Sources and targets."""
        return layout.pairs([e["input_ids"] for e in examples], [e["target_ids"] for e in examples])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: those of the texts."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per token of the text."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
