"""SimPO: prefer the answer with the higher average log-probability, by a margin, without a reference model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from smolrecipes import Loss, Mean, PairwiseObjective, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class SimPO(PairwiseObjective, name="simpo"):
    """Simple preference optimisation (arXiv:2405.14734)."""

    prepare_reads: ClassVar[tuple[str, ...]] = ()

    beta: Annotated[float, Gt(0)] = 2.0
    """Scale of the reward, which is beta times the log-probability per token of the answer."""
    gamma: Annotated[float, Ge(0)] = 1.0
    """How far the chosen answer's reward should be above the rejected one's."""

    def loss(self, model: Any, batch: dict[str, Tensor]) -> Loss:
        """-log sigmoid(reward(chosen) - reward(rejected) - gamma), summed over the pairs."""
        from torch.nn.functional import logsigmoid

        pair = self.logps(model, batch)
        chosen = self.beta * pair.chosen / pair.chosen_tokens
        rejected = self.beta * pair.rejected / pair.rejected_tokens
        better = (chosen > rejected).float().detach()
        return Loss(
            terms={"simpo": Mean(-logsigmoid(chosen - rejected - self.gamma).sum(), "pairs")},
            metrics={"reward_accuracy": Mean(better.sum(), "pairs")},
        )


@hookimpl
def smolrecipes_register_objectives() -> list[type[PairwiseObjective]]:
    """What this plugin brings."""
    return [SimPO]
