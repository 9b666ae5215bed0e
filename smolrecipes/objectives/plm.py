"""PLM: predict tokens in any order, each from those before it in the order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge
from smolrecipes.objectives.documents import Documents

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class PLM(Documents, name="plm"):
    """Permutation language modelling with two streams of attention (XLNet, arXiv:1906.08237, section 2).

    In an order drawn for each text its last tokens are predicted one after the other: each sees all that come before it in
    the order, and where it stands, but neither itself nor those after it.
    """

    families: ClassVar[tuple[str, ...]] = ("encoder",)
    head: ClassVar[str] = "permutation"
    likelihood: ClassVar[bool] = True
    packs: ClassVar[bool] = False
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("documents",)

    one_in: Annotated[int, Ge(1)] = 6
    """One token in so many is predicted: the paper's K."""

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The places of the predicted tokens in the order in which they are, `order`."""
        from smolrecipes.objectives.masking import some_tokens
        from smolrecipes.objectives.text import types_around, wrapped

        ids = wrapped(example["input_ids"], tokenizer)
        order = rng.permutation(some_tokens(ids, 1 / self.one_in, rng, tokenizer))
        return {**example, "input_ids": ids, "types": types_around(len(ids), tokenizer), "order": order}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Padded texts with `perm_mask`, (texts, length, length): 1 where a token does not see another; and
        `target_mapping`, (texts, most predictions, length): where each prediction stands."""
        from smolrecipes.objectives.orders import in_order

        return in_order(examples, layout.pad_id)

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the predicted ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per predicted token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
