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
    families: ClassVar[tuple[str, ...]] = ("decoder",)

    per_token: bool = option(default=True, affects_weights=False)
    """Compare mean log-probabilities of the tokens, as ORPO does, so that short answers have no advantage; else sums."""

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`accuracy` (a tie is half right) and `margin` of each pair."""
        from smolrecipes.evaluators.passes import summed

        sequences = [_answer(row, side, subject) for row in rows for side in ("chosen", "rejected")]
        found = summed(subject, sequences)
        values = [logp / max(1, count) if self.per_token else logp for logp, count in found]
        margins = [chosen - rejected for chosen, rejected in zip(values[::2], values[1::2])]
        return Scores({"accuracy": [float(m > 0) + 0.5 * (m == 0) for m in margins], "margin": margins})


def _answer(row: dict[str, Any], side: str, subject: Subject) -> Any:
    from smolrecipes.objectives.chat import continuation
    from smolrecipes.objectives.labels import IGNORE
    from smolrecipes.objectives.layout import Sequence

    before, after = continuation(row["prompt"], row[side], subject.tokenizer, row.get("tools"))
    return Sequence([*before, *after], [*[IGNORE] * len(before), *after])
