"""RTD: find the tokens that a small generator put in the place of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge, Gt, Le
from smolrecipes.objectives.mlm import MLM

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture, Layout


class RTD(MLM, name="rtd"):
    """Replaced token detection (ELECTRA, arXiv:2003.10555): a generator fills masks, the model says what was replaced.

    The generator learns MLM and shares its embeddings with the model; it is saved beside it, in `model/generator`.
    """

    head: ClassVar[str] = "discriminator"
    owns: ClassVar[tuple[str, ...]] = ("generator",)
    likelihood: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]] = ("auc",)
    prepare_reads: ClassVar[tuple[str, ...] | None] = MLM.prepare_reads

    masked: Annotated[float, Ge(0), Le(1)] = 1.0
    """Share of the hidden tokens that the generator sees as the mask token."""
    random: Annotated[float, Ge(0), Le(1)] = 0.0
    """And as a random token."""
    generator: Annotated[float, Gt(0), Le(1)] = 0.25
    """The generator's width as a share of the model's; from a quarter to a half is best (section 3.2)."""
    weight: Annotated[float, Gt(0)] = 50.0
    """Of the detection, beside the generator's likelihood."""

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Adds the generator."""
        super().complete(model, architecture, tokenizer)
        from smolrecipes.objectives.generator import attach

        attach(model, architecture, tokenizer, self.generator)

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Hides tokens, and draws for each hidden one the number between 0 and 1 by which the generator chooses."""
        import numpy as np

        from smolrecipes.objectives.labels import IGNORE
        from smolrecipes.objectives.masking import ordinary

        made = super().draw(example, rng, tokenizer)
        hidden = made["labels"] != IGNORE
        whole = np.where(hidden, made["labels"], made["input_ids"])
        judged = np.where(ordinary(tokenizer)[whole], whole, IGNORE)
        return {**made, "judged": judged, "chances": rng.random(hidden.sum())}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Beside the hidden tokens: `judged`, (judged,), the places of all ordinary tokens; `chances`, (labelled,)."""
        import numpy as np
        import torch

        batch = super().collate(examples, layout)
        judged = layout([(e["input_ids"], e["judged"]) for e in examples], causal=False)["at"]
        return {
            **batch,
            "judged": judged,
            "chances": torch.from_numpy(np.concatenate([e["chances"] for e in examples])),
        }

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the hidden ones. `judged`: those that may be replaced or not."""
        return {"tokens": len(batch["labels"]), "judged": len(batch["judged"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """The generator's likelihood, in nats per hidden token, and binary cross-entropy over all tokens."""
        import torch.nn.functional as F

        from smolrecipes.objectives.generator import fill
        from smolrecipes.objectives.tasks import answered

        nll, chosen = fill(model, batch)
        ids = batch["input_ids"].flatten().scatter(0, batch["at"], chosen).view_as(batch["input_ids"])
        replaced = ids.new_zeros(ids.numel()).scatter(0, batch["at"], (chosen != batch["labels"]).long())
        right = replaced[batch["judged"]].float()
        scores = answered(model, {**batch, "input_ids": ids}).logits.flatten()[batch["judged"]].float()
        detection = F.binary_cross_entropy_with_logits(scores, right, reduction="sum")
        return Loss(
            {"mlm": Mean(nll, "tokens"), "rtd": Mean(detection, "judged", self.weight)},
            {"replaced": Mean(right.sum(), "judged")},
            {"scores": scores, "right": right},
        )

    def measure(self, answers: dict[str, NDArray[Any]]) -> dict[str, float]:
        """`auc`: how often a replaced token has a higher score than one that is not."""
        from smolrecipes.objectives.answers import auc

        return {"auc": auc(answers["scores"], answers["right"])}
