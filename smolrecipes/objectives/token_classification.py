"""TokenClassification: a tag for each word, such as where names begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.kinds import Loss, Mean, Objective

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from typing_extensions import Self

    from smolrecipes.kinds import Architecture, Layout


class TokenClassification(Objective, name="token_classification"):
    """One tag for each word, given at one of its tokens (arXiv:1810.04805, section 5.3)."""

    rows: ClassVar[tuple[str, ...]] = ("tagged",)
    families: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "encoder-decoder")
    head: ClassVar[str] = "token-classification"
    prepare_reads: ClassVar[tuple[str, ...]] = ("labels", "at")
    metrics: ClassVar[tuple[str, ...]] = ("f1", "accuracy")

    labels: tuple[str, ...] | None = None
    """The names of the tags in the order of their ids; those of the training rows, sorted, when None."""
    at: Literal["first", "last"] = "first"
    """The token of a word that gives its tag; a decoder has read the whole word at its last."""

    def fitted(self, rows: Dataset) -> Self:
        """With the tags of the training rows."""
        from smolrecipes.objectives.classes import found

        every = (tag for tags in rows["tags"] for tag in tags)
        return self.replace(labels=self.labels or found(every, type(self).__name__))

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels or ()

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Writes into the config which token of a word is asked: who uses the model needs it."""
        model.config.tagged_at = self.at

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The words as a text, and a label at one token of each. Words beyond the length, or without a token, are not learned."""
        import numpy as np

        from smolrecipes.objectives.classes import number
        from smolrecipes.objectives.framed import frame, with_offsets
        from smolrecipes.objectives.labels import IGNORE

        around, text = frame(tokenizer, 1), " ".join(row["tokens"])
        ids, starts, ends = with_offsets(text, tokenizer)
        room = max_length - around.size
        example = around.around([ids[:room]])
        labels, begin = [IGNORE] * len(example["input_ids"]), example.pop("starts")[0]
        stops = np.cumsum([len(word) + 1 for word in row["tokens"]]) - 1
        for word, tag, stop in zip(row["tokens"], row["tags"], stops.tolist()):
            (own,) = np.nonzero((ends[:room] > stop - len(word)) & (starts[:room] < stop))
            if len(own):
                labels[begin + int(own[0 if self.at == "first" else -1])] = number(tag, self.classes)
        if all(label == IGNORE for label in labels):
            return None
        return {**example, "labels": labels, "cut": max(0, len(ids) - room)}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The texts with their labels."""
        return layout([(e["input_ids"], e["labels"], (0, 0), e.get("token_type_ids")) for e in examples], causal=False)

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`words`: those with a label."""
        return {"words": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood of the right tag, in nats per word."""
        import torch.nn.functional as F

        from smolrecipes.objectives.tasks import answered

        logits, right = answered(model, batch).logits.flatten(0, 1)[batch["at"]].float(), batch["labels"]
        said = logits.argmax(-1)
        hits = Mean((said == right).float().sum(), "words")
        nll = Mean(F.cross_entropy(logits, right, reduction="sum"), "words")
        begins = batch["rows"].diff(prepend=batch["rows"].new_full((1,), -1)) != 0
        return Loss({"nll": nll}, {"accuracy": hits}, {"said": said, "right": right, "begins": begins})

    def measure(self, answers: dict[str, NDArray[Any]]) -> dict[str, float]:
        """`f1`, `precision` and `recall` of entities where the tags mark some, else the mean F1 of the tags; `majority`."""
        import numpy as np

        from smolrecipes.objectives.answers import confusion, is_bio, macro, span_scores

        said, right = answers["said"].astype(int), answers["right"].astype(int)
        table = confusion(said, right, len(self.classes))
        majority = {"majority": float(table.sum(1).max() / table.sum())}
        if not is_bio(self.classes):
            return {"macro_f1": macro(table), **majority}
        cuts = np.flatnonzero(answers["begins"])[1:]
        names = np.array(self.classes)
        both = ([part.tolist() for part in np.split(names[ids], cuts)] for ids in (said, right))
        return {**span_scores(*both), **majority}
