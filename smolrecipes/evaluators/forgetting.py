"""What a model has unlearned by being tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.evaluators.likelihood import Likelihood
from smolrecipes.kinds import Evaluator, Scores, Subject

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


class Forgetting(Evaluator, name="forgetting"):
    """Bits per byte on general text, of the model that was tuned (`before`) and of the one that came of it (`after`);
    `forgotten` is the difference."""

    rows: ClassVar[tuple[str, ...]] = ("text", "messages")

    base: str | None = option(default=None, affects_weights=False)
    """The folder of the model that was tuned; None takes the one that the run began with."""

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`nll`, `tokens`, `bytes` of each row under each of the two."""
        from pathlib import Path

        from smolrecipes.ask.load import load

        folder = Path(self.base) if self.base else subject.base
        if folder is None:
            raise RecipeError(
                "forgetting: the run began with no other model; give forgetting.base, the one to compare with"
            )
        if not (folder / "config.json").is_file():
            raise RecipeError(f"forgetting.base: there is no model in {folder}")
        judge = Likelihood()
        after = judge.score(subject, rows).columns
        before = judge.score(Subject(*load(folder), subject.decoding, folder), rows).columns
        return Scores(
            {f"{when}_{name}": part[name] for when, part in (("before", before), ("after", after)) for name in part}
        )

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        bits = {}
        for when in ("before", "after"):
            parts = {name.removeprefix(f"{when}_"): values for name, values in columns.items() if name.startswith(when)}
            bits[when] = Likelihood().measure(parts)["bits_per_byte"]
        return {**bits, "forgotten": bits["after"] - bits["before"]}
