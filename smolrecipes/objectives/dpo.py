"""DPO: raise the chosen answer over the rejected one, measured against the model before training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge, Gt, Lt
from smolrecipes.objectives.preference import PairwiseObjective, rewards

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset
    from torch.nn import Module
    from transformers import PreTrainedModel, Trainer, TrainingArguments

    from smolrecipes.kinds import Layout, Parts


class DPO(PairwiseObjective, name="dpo"):
    """Direct preference optimisation (arXiv:2305.18290).

    The reference is the model with its adapter switched off, asked in each step; without an adapter its
    log-probabilities are computed once before training and cached.
    """

    prepare_reads: ClassVar[tuple[str, ...]] = ()

    beta: Annotated[float, Gt(0)] = 0.1
    """How strongly the policy is held to the reference."""
    variant: Literal["sigmoid", "ipo", "hinge", "robust"] = "sigmoid"
    """sigmoid as in the paper; ipo (arXiv:2310.12036); hinge (arXiv:2305.10425); robust (arXiv:2403.00409)."""
    label_smoothing: Annotated[float, Ge(0), Lt(0.5)] = 0.0
    """Share of pairs believed to be the wrong way round; for `variant="robust"` alone."""
    precompute_ref_log_probs: bool = option(default=False, affects_weights=False)
    """With an adapter too, compute the reference before training and cache it: sooner where pairs are seen more than once."""
    engine: Literal["smolrecipes", "trl"] = option(default="smolrecipes")
    """trl trains with TRL's DPOTrainer, to compare."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing and self.variant != "robust":
            raise RecipeError(f"DPO: label_smoothing is read by variant='robust' alone, not by '{self.variant}'")

    def precompute(
        self,
        examples: Dataset,
        model: PreTrainedModel,
        layout: Layout,
        rows: int,
        keep: Callable[[Callable[[], Dataset]], Dataset],
    ) -> Dataset:
        """Without an adapter, or where it is asked for, adds `reference_chosen` and `reference_rejected`, summed
        log-probabilities of each pair."""
        adapted = hasattr(model, "disable_adapter")
        if self.engine == "trl" or (adapted and not self.precompute_ref_log_probs):
            return examples
        from smolrecipes.objectives.reference import add_reference

        return keep(lambda: add_reference(self, examples, model, layout, rows))

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """The DPO loss of the pairs."""
        from smolrecipes.objectives.forward import reference
        from smolrecipes.objectives.losses import dpo_loss

        pair = self.logps(model, batch)
        if "reference_chosen" in batch:
            ref_chosen, ref_rejected = batch["reference_chosen"], batch["reference_rejected"]
        else:
            with reference(model) as before:
                old = self.logps(before, batch)
            ref_chosen, ref_rejected = old.chosen, old.rejected
        if self.variant == "ipo":  # the one variant on log-probabilities per token, as its authors normalise it
            ref_chosen, ref_rejected = ref_chosen / pair.chosen_tokens, ref_rejected / pair.rejected_tokens
        chosen, rejected = (
            (pair.chosen_mean, pair.rejected_mean) if self.variant == "ipo" else (pair.chosen, pair.rejected)
        )
        losses = dpo_loss(
            chosen,
            rejected,
            ref_chosen,
            ref_rejected,
            beta=self.beta,
            kind=self.variant,
            label_smoothing=self.label_smoothing,
        )
        return Loss(
            {"dpo": Mean(losses.sum(), "pairs")},
            rewards(self.beta * (chosen - ref_chosen), self.beta * (rejected - ref_rejected)),
        )

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's DPOConfig with engine=trl."""
        if self.engine == "smolrecipes":
            return super().arguments(options)
        from smolrecipes.objectives.trl import dpo_arguments

        return dpo_arguments(self, options)

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's DPOTrainer with engine=trl."""
        if self.engine == "smolrecipes":
            return super().trainer(parts)
        from smolrecipes.objectives.trl import dpo_trainer

        return dpo_trainer(self, parts)
