"""Translation: an encoder reads a text in one language, the decoder writes it in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean, Objective
from smolrecipes.limits import Ge, Lt

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class Translation(Objective, name="translation"):
    """Supervised sequence to sequence on pairs (arXiv:1706.03762); with language tokens as M2M100's (arXiv:2010.11125)."""

    rows: ClassVar[tuple[str, ...]] = ("pair",)
    families: ClassVar[tuple[str, ...]] = ("encoder-decoder",)
    head: ClassVar[str] = "seq2seq"
    prepare_reads: ClassVar[tuple[str, ...]] = ("language_tokens", "languages")

    language_tokens: bool = False
    """Begin each side with the token of its language, `__en__`; the tokenizer's option `languages` makes them."""
    languages: tuple[str, str] | None = None
    """The languages of every source and every target; None: those that a row names in source_language, target_language."""
    smoothing: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Of the labels (arXiv:1512.00567): so much of the target's weight is spread over the vocabulary."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Both texts with their ends, each cut at `max_length` tokens; None when a side is empty."""
        from smolrecipes.objectives.framed import encode
        from smolrecipes.objectives.text import around

        before, after = around(tokenizer)
        sides, cut = [], 0
        for index, side in enumerate(("source", "target")):
            (text,) = encode([row[side]], tokenizer)
            first, last = [*before, *self._language(row, index, tokenizer)], after or [tokenizer.eos_token_id]
            room = max_length - len(first) - len(last)
            if not text or room < 1:
                return None
            sides.append([*first, *text[:room], *last])
            cut += max(0, len(text) - room)
        return {"input_ids": sides[0], "target_ids": sides[1], "cut": cut}

    def _language(self, row: dict[str, Any], index: int, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """The token of a side's language, if any."""
        if not self.language_tokens:
            return []
        column = ("source_language", "target_language")[index]
        language = self.languages[index] if self.languages else row.get(column)
        if not language:
            raise RecipeError(f'the row has no {column}; say it for all with objective.languages=["en", "it"]')
        found: int | None = tokenizer.get_vocab().get(f"__{language}__")
        if found is None:
            raise RecipeError(f"the tokenizer has no token __{language}__; train one with tokenizer.languages")
        return [found]

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Sources and targets."""
        return layout.pairs([e["input_ids"] for e in examples], [e["target_ids"] for e in examples])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: those of the targets."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Cross-entropy with smoothed labels, and as a metric the likelihood without, in nats per token of the target."""
        from smolrecipes.objectives.forward import token_nll, token_smooth

        if not self.smoothing:
            return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
        nll, even = token_smooth(model, batch)
        smooth = (1 - self.smoothing) * nll + self.smoothing * even
        return Loss({"smoothed": Mean(smooth, "tokens")}, {"nll": Mean(nll.detach(), "tokens")})
