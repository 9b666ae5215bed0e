"""Reward: a model that scores answers, learned from preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.limits import Ge
from smolrecipes.objectives.preference import PairwiseObjective
from smolrecipes.objectives.trl import TRLObjective

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments

    from smolrecipes.kinds import Parts


class Reward(TRLObjective, PairwiseObjective, name="reward"):
    """Reward modelling (arXiv:2203.02155), by TRL's RewardTrainer: -log sigmoid(score(chosen) - score(rejected))."""

    head: ClassVar[str] = "sequence-classification"
    prepare_reads: ClassVar[tuple[str, ...]] = ()

    center: Annotated[float, Ge(0)] = 0.0
    """Weight of a term that keeps a pair's scores around zero (arXiv:2312.09244)."""

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's RewardConfig."""
        from trl import RewardConfig

        from smolrecipes.objectives.trl import trl_arguments

        return trl_arguments(RewardConfig, options, center_rewards_coefficient=self.center or None)

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's RewardTrainer on our ids."""
        from trl import RewardTrainer

        from smolrecipes.objectives.trl import build

        return build(RewardTrainer, parts, scored)


def scored(row: dict[str, Any]) -> dict[str, Any]:
    """A prepared pair as two whole conversations, the columns of TRL's RewardTrainer."""
    return {f"{side}_ids": row["prompt"] + row[side] for side in ("chosen", "rejected")}
