"""What objectives share that say one thing of a whole text, or of two."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import AnswersFor, Objective

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture, Layout


class WholeText(Objective):
    """One answer for each text or pair of texts. Encoders give it at their first token, decoders at the last."""

    rows: ClassVar[tuple[str, ...]] = ("labelled",)
    families: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "encoder-decoder")
    answers_for: ClassVar[AnswersFor] = "text"
    prepare_reads: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def target(self, label: Any) -> Any:
        """What is learned for a label, a number; RecipeError for one that cannot be learned."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The text or texts in their frame, and what is learned."""
        return self.prepare_many([row], tokenizer, max_length)[0]

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """As `prepare`, many rows at a time."""
        from smolrecipes.objectives.framed import read

        texts = [row["texts"] if row.get("texts") else [row["text"]] for row in rows]
        for row, some in zip(rows, texts):
            if len(some) > 2:
                raise RecipeError(f"{row['origin']}: {len(some)} texts; a model reads one or two")
        found: list[dict[str, Any] | None] = []
        for row, example in zip(rows, read(texts, tokenizer, max_length), strict=True):
            del example["starts"]
            try:
                found.append({**example, "target": self.target(row["label"])})
            except RecipeError as error:
                raise RecipeError(f"{row['origin']}: {error}") from None
        return found

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Checks that a decoder can tell where a padded text ends."""
        if model.config.pad_token_id is None:
            raise RecipeError(
                f"tokenizer: it has no padding token, by which {type(model).__name__} finds where a text ends; take one "
                "that has"
            )

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The texts, and `target`, (rows,)."""
        import torch

        from smolrecipes.objectives.labels import IGNORE

        unlabelled = [[IGNORE] * len(e["input_ids"]) for e in examples]
        sequences = [
            (e["input_ids"], labels, (0, 0), e.get("token_type_ids")) for e, labels in zip(examples, unlabelled)
        ]
        return {**layout(sequences, causal=False), "target": torch.tensor([e["target"] for e in examples])}

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`rows`."""
        return {"rows": len(batch["target"])}
