"""Which of two answers a model finds likelier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.kinds import Evaluator, Scores, Subject

if TYPE_CHECKING:
    from datasets import Dataset


class Preferences(Evaluator, name="preferences"):
    """The share of pairs whose chosen answer is likelier than the rejected one, and by how much, in nats."""

    rows: ClassVar[tuple[str, ...]] = ("preference",)

    per_token: bool = option(default=True, affects_weights=False)
    """Compare mean log-probabilities of the tokens, as ORPO does, so that short answers have no advantage; else sums."""

    def check(self, subject: Subject) -> None:
        from smolrecipes.evaluators.passes import check_predicts

        super().check(subject)
        check_predicts(subject)

    def length(self, row: dict[str, Any], subject: Subject) -> int:
        """The longer answer's, with the prompt."""
        return max(len(side.ids) - 1 for side in self._sides(row, subject))

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`accuracy` (a tie is half right) and `margin` of each pair."""
        from smolrecipes.evaluators.passes import summed

        sequences = [side for row in rows for side in self._sides(row, subject)]
        found = summed(subject, sequences)
        values = [logp / max(1, count) if self.per_token else logp for logp, count in found]
        margins = [chosen - rejected for chosen, rejected in zip(values[::2], values[1::2])]
        return Scores({"accuracy": [float(m > 0) + 0.5 * (m == 0) for m in margins], "margin": margins})

    def _sides(self, row: dict[str, Any], subject: Subject) -> list[Any]:
        """The chosen and the rejected answer to the prompt, as sequences."""
        from smolrecipes.evaluators.passes import answer

        return [answer(row["prompt"], row[s], subject.tokenizer, row.get("tools")) for s in ("chosen", "rejected")]
