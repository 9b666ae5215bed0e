"""MLM: predict hidden tokens from both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge, Gt, Le, Lt
from smolrecipes.objectives.documents import Documents

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture, Layout


class MLM(Documents, name="mlm"):
    """Masked language modelling (arXiv:1810.04805), its masks drawn anew in each epoch (arXiv:1907.11692)."""

    families: ClassVar[tuple[str, ...]] = ("encoder",)
    head: ClassVar[str] = "masked"
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("documents", "unit")

    rate: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Share of tokens that are predicted."""
    masked: Annotated[float, Ge(0), Le(1)] = 0.8
    """Share of those that are replaced by the mask token."""
    random: Annotated[float, Ge(0), Le(1)] = 0.1
    """And by a random token; the rest stay as they are, and are predicted all the same."""

    unit: Literal["token", "word", "span"] = "token"
    """What is hidden at once: tokens; whole words, as the tokenizer splits a text; spans of up to ten words, which are
    masked, replaced or left together (SpanBERT, arXiv:1907.10529)."""
    static: bool = False
    """Draw the masks once, as BERT's, and not anew in each epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.masked + self.random > 1:
            raise RecipeError(
                f"{type(self).__name__}: masked={self.masked:g} and random={self.random:g} are more than all together"
            )

    @property
    def redraws(self) -> bool:
        return not self.static

    @property
    def whole_words(self) -> bool:
        return self.unit != "token"

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Checks that there is a mask."""
        if tokenizer.mask_token_id is None:
            raise RecipeError(
                f"tokenizer: it has no mask token, which {self.name} puts in the place of others; train one with "
                "tokenizer.specials=bert"
            )

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Hides tokens: `input_ids` as the model reads them, `labels` with what was there."""
        import numpy as np

        from smolrecipes.objectives.text import around, wrapped

        before, after = around(tokenizer)
        begins = example.get("begins")
        if begins is not None:
            begins = np.concatenate([np.ones(len(before)), begins, np.ones(len(after))])
        return {**example, **self.hidden(wrapped(example["input_ids"], tokenizer), begins, rng, tokenizer)}

    def hidden(
        self, ids: Any, begins: Any, rng: Generator, tokenizer: PreTrainedTokenizerBase
    ) -> dict[str, NDArray[np.int64]]:
        """`input_ids` and `labels` of a text with some of its tokens hidden. begins: 1 where a word does, unless tokens are."""
        from smolrecipes.objectives.masking import hide, some_tokens, some_words

        together = None
        if self.unit == "token":
            chosen = some_tokens(ids, self.rate, rng, tokenizer)
        else:
            longest = 10 if self.unit == "span" else 1
            chosen, together = some_words(ids, begins, self.rate, rng, tokenizer, longest)
        spans = together if self.unit == "span" else None
        seen, labels = hide(ids, chosen, rng, tokenizer, self.masked, self.random, spans)
        return {"input_ids": seen, "labels": labels}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The texts with their hidden tokens."""
        return layout([(e["input_ids"], e["labels"]) for e in examples], causal=False)

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the hidden ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per hidden token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
