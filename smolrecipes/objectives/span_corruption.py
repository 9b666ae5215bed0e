"""Span corruption: an encoder reads a text with holes, the decoder writes what was in them."""

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


class SpanCorruption(Documents, name="span_corruption"):
    """T5's pretraining (arXiv:1910.10683, section 3.1.4): each hole is a sentinel, and the target names them in turn.

    `Thank you <extra_id_0> me to your party <extra_id_1> week.` -> `<extra_id_0> for inviting <extra_id_1> last`
    """

    families: ClassVar[tuple[str, ...]] = ("encoder-decoder",)
    head: ClassVar[str] = "seq2seq"
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("documents", "density", "span")

    density: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Share of the tokens that are cut out."""
    span: Annotated[float, Ge(1)] = 3.0
    """Tokens of a hole on average."""

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Blocks, for which the tokenizer has enough sentinels."""
        from smolrecipes.objectives.spans import holes, sentinels

        need, have = holes(max_length, self.density, self.span)[1], len(sentinels(tokenizer))
        if have < need:
            raise RecipeError(
                f"SpanCorruption: a text of training.max_length={max_length} has {need} holes, and the tokenizer has {have} "
                f"sentinels; train one with tokenizer.sentinels={need}, or lower max_length or density"
            )
        return super().arrange(examples, max_length, tokenizer)

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The text with holes, and what was in them, each with an end."""
        from smolrecipes.objectives.spans import corrupt, sentinels

        ids, target = corrupt(example["input_ids"], rng, sentinels(tokenizer), self.density, self.span)
        end = [tokenizer.eos_token_id]
        return {**example, "input_ids": [*ids, *end], "target_ids": [*target, *end]}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Sources and targets."""
        return layout.pairs([e["input_ids"] for e in examples], [e["target_ids"] for e in examples])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: those of the targets."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per token of the target."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
