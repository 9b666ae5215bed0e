"""What objectives on plain text share: documents as token ids, as blocks or each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Objective

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class Documents(Objective):
    """An objective on text whose examples are blocks; what is hidden in them is drawn later, in `draw`."""

    rows: ClassVar[tuple[str, ...]] = ("text",)
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("documents",)

    documents: Literal["joined", "separate"] = "joined"
    """joined: one stream with a separator after each, cut into blocks, as RoBERTa's. separate: each by itself."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The document's tokens; joined documents end with a separator. None for an empty document."""
        return self.prepare_many([row], tokenizer, max_length)[0]

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """As `prepare`, many documents at a time."""
        from smolrecipes.objectives.text import encode_many, encode_words

        end = self.separator(tokenizer) if self.documents == "joined" else None
        texts, least = [row["text"] for row in rows], 1 + (end is not None)
        if self.whole_words:
            words = encode_words(texts, tokenizer, end)
            return [{"input_ids": ids, "begins": begins} if len(ids) >= least else None for ids, begins in words]
        return [{"input_ids": ids} if len(ids) >= least else None for ids in encode_many(texts, tokenizer, end)]

    @property
    def whole_words(self) -> bool:
        """Whether `draw` wants to know where words begin: `begins`, 1 for a token that does."""
        return False

    def separator(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """The token after each of joined documents."""
        found = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
        if found is None:
            raise RecipeError(
                f"{type(self).__name__}: the tokenizer has no sep and no eos token to put between documents"
            )
        return int(found)

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Blocks, or pieces of documents, with room for the tokens that the model expects around a text."""
        from smolrecipes.objectives.blocks import apart, joined
        from smolrecipes.objectives.text import around

        before, after = around(tokenizer)
        room = max_length - len(before) - len(after)
        if room < 1:
            raise RecipeError(
                f"training.max_length={max_length}: {len(before) + len(after)} tokens stand around a text"
            )
        return (joined if self.documents == "joined" else apart)(examples, room)
