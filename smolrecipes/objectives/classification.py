"""Classification: which class a text, or a pair of texts, is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.kinds import Loss, Mean
from smolrecipes.objectives.whole import WholeText

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch.nn import Module
    from typing_extensions import Self


class Classification(WholeText, name="classification"):
    """One class for each text or pair of texts (arXiv:1810.04805, section 4.1)."""

    head: ClassVar[str] = "sequence-classification"
    prepare_reads: ClassVar[tuple[str, ...]] = ("labels",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)

    labels: tuple[str, ...] | None = None
    """The names of the classes in the order of their ids; those of the training rows, sorted, when None."""

    def fitted(self, rows: Dataset) -> Self:
        """With the classes of the training rows."""
        from smolrecipes.objectives.classes import found

        return self.replace(labels=self.labels or found(rows["label"], type(self).__name__))

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels or ()

    def target(self, label: Any) -> int:
        """The class's id."""
        from smolrecipes.objectives.classes import number

        return number(label, self.classes)

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood of the right class, in nats per row."""
        import torch.nn.functional as F

        from smolrecipes.objectives.tasks import answered

        logits, right = answered(model, batch, of="text").logits.float(), batch["target"]
        said = logits.argmax(-1)
        hits = Mean((said == right).float().sum(), "rows")
        nll = Mean(F.cross_entropy(logits, right, reduction="sum"), "rows")
        return Loss({"nll": nll}, {"accuracy": hits}, {"said": said, "right": right})

    def measure(self, answers: dict[str, NDArray[Any]]) -> dict[str, float]:
        """`f1` of the last of two classes, the mean F1 of more; `mcc`; `majority`, the accuracy of the commonest class."""
        from smolrecipes.objectives.answers import confusion, f1, macro, mcc

        table = confusion(answers["said"].astype(int), answers["right"].astype(int), len(self.classes))
        each = f1(table)
        score = {"f1": float(each[1])} if len(each) == 2 else {"macro_f1": macro(table)}
        return {**score, "mcc": mcc(table), "majority": float(table.sum(1).max() / table.sum())}
