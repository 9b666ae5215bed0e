"""ORPO: learn the chosen answer and raise its odds over the rejected one, without a reference model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge
from smolrecipes.objectives.preference import PairwiseObjective, rewards

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import Trainer, TrainingArguments

    from smolrecipes.kinds import Parts


class ORPO(PairwiseObjective, name="orpo"):
    """Odds ratio preference optimisation (arXiv:2403.07691)."""

    prepare_reads: ClassVar[tuple[str, ...]] = ()

    beta: Annotated[float, Ge(0)] = 0.1
    """Weight of the odds-ratio term (the paper's lambda)."""
    learn: Literal["answer", "prompt+answer"] = "answer"
    """What the supervised term covers: the chosen answer, as in the paper (default), or prompt and answer, as TRL does."""
    engine: Literal["smolrecipes", "trl"] = option(default="smolrecipes")
    """trl trains with TRL's ORPOTrainer, to compare."""

    @property
    def learn_prompt(self) -> bool:  # type: ignore[override]
        """Whether prompts are learned too."""
        return self.learn == "prompt+answer"

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Likelihood of the chosen tokens plus `beta` times the odds-ratio loss of the pairs."""
        from smolrecipes.objectives.losses import odds_ratio_loss

        pair = self.logps(model, batch)
        odds = odds_ratio_loss(pair.chosen_mean, pair.rejected_mean)
        return Loss(
            {"nll": Mean(pair.chosen_nll, "tokens"), "odds_ratio_loss": Mean(odds.sum(), "pairs", self.beta)},
            rewards(self.beta * pair.chosen_mean, self.beta * pair.rejected_mean),
        )

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's ORPOConfig with engine=trl."""
        if self.engine == "smolrecipes":
            return super().arguments(options)
        from smolrecipes.objectives.trl import orpo_arguments

        return orpo_arguments(self, options)

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's ORPOTrainer with engine=trl."""
        if self.engine == "smolrecipes":
            return super().trainer(parts)
        from smolrecipes.objectives.trl import orpo_trainer

        return orpo_trainer(self, parts)
