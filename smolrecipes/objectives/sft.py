"""SFT: learn what the assistant says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Loss, Mean, Objective

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

    from smolrecipes.kinds import Layout, Parts


class SFT(Objective, name="sft"):
    """Supervised fine-tuning on conversations: cross-entropy on the assistant's turns and the token that ends each."""

    rows: ClassVar[tuple[str, ...]] = ("messages",)
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...]] = ("learn",)

    learn: Literal["assistant", "all"] = "assistant"
    """Which tokens are learned: the assistant's turns, or every token."""
    engine: Literal["smolrecipes", "trl"] = option(default="smolrecipes")
    """trl trains with TRL's SFTTrainer, to compare."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Ids and labels, cut at `max_length` tokens; None when no label is left."""
        from smolrecipes.conversation.cut import spelling
        from smolrecipes.objectives.chat import encode
        from smolrecipes.objectives.labels import IGNORE

        ids, labels = encode(row["messages"], tokenizer, row["tools"], self.learn)
        kept = labels[:max_length]
        if all(label == IGNORE for label in kept[1:]):
            return None
        counts = {"cut": max(0, len(ids) - max_length), "spelt": spelling(row["messages"], tokenizer)}
        return {"input_ids": ids[:max_length], "labels": kept, **counts}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The conversations, with their labels."""
        from smolrecipes.objectives.layout import Sequence

        return layout([Sequence(e["input_ids"], e["labels"]) for e in examples])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the learned ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per learned token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's SFTConfig with engine=trl."""
        if self.engine == "smolrecipes":
            return super().arguments(options)
        from smolrecipes.objectives.trl import sft_arguments

        return sft_arguments(self, options)

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's SFTTrainer with engine=trl."""
        if self.engine == "smolrecipes":
            return super().trainer(parts)
        from smolrecipes.objectives.trl import sft_trainer

        return sft_trainer(self, parts)
