"""What a model has unlearned by being tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.evaluators.likelihood import Likelihood
from smolrecipes.kinds import Scores, Subject, Weights

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


class Forgetting(Likelihood, name="forgetting"):
    """Bits per byte on other text than the run's, of the model that was tuned (`before`) and of the one that came of it
    (`after`); `forgotten` is the difference."""

    compares: ClassVar[bool] = True

    base: str | None = option(default=None, affects_weights=False)
    """The model that was tuned, a folder or a hub id; None takes the one that the run began with."""

    def check(self, subject: Subject) -> None:
        super().check(subject)
        if self.base is None and subject.base is None:
            raise RecipeError(
                "forgetting: the run began with no other model; give forgetting.base, the one to compare with"
            )
        if self.data is None:
            raise RecipeError(
                "forgetting: the held-out rows are what was learned; name other text, as in forgetting.data=toy:stories"
            )

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`nll`, `tokens`, `bytes` of each row under each of the two."""
        from smolrecipes.evaluation import beside

        base = Weights(self.base) if self.base else subject.base
        assert base is not None, "`check` comes first"
        found = {"before": super().score(beside(subject, base), rows), "after": super().score(subject, rows)}
        return Scores(
            {f"{when}_{name}": values for when, part in found.items() for name, values in part.columns.items()}
        )

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        bits = {}
        for when in ("before", "after"):
            parts = {name.removeprefix(f"{when}_"): values for name, values in columns.items() if name.startswith(when)}
            bits[when] = super().measure(parts)["bits_per_byte"]
        return {**bits, "forgotten": bits["after"] - bits["before"]}
