"""Regression: a number for a text, or for a pair of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.objectives.whole import WholeText

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture


class Regression(WholeText, name="regression"):
    """A number for each text or pair of texts, such as how alike two sentences are (arXiv:1708.00055)."""

    head: ClassVar[str] = "regression"
    prepare_reads: ClassVar[tuple[str, ...]] = ("scale",)
    metrics: ClassVar[tuple[str, ...]] = ("pearson",)

    scale: tuple[float, float] | None = None
    """The lowest and the highest label, learned as 0 and 1 (the saved config keeps them as `label_scale`); None learns
    labels as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale and not self.scale[0] < self.scale[1]:
            raise RecipeError(f"Regression.scale: give the lowest label and then the highest, not {list(self.scale)}")

    def target(self, label: Any) -> float:
        """The number that is learned."""
        if isinstance(label, str):
            raise RecipeError(f"the label {label!r} is no number; classes are learned by objective=classification")
        low, high = self.scale or (0.0, 1.0)
        if self.scale and not low <= label <= high:
            raise RecipeError(f"the label {label:g} is not between {low:g} and {high:g}, as objective.scale says")
        return float((label - low) / (high - low))

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Writes the scale into the config: who uses the model needs it."""
        super().complete(model, architecture, tokenizer)
        if self.scale:
            model.config.label_scale = list(self.scale)

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Squared error per row."""
        from smolrecipes.objectives.tasks import answered

        said, right = answered(model, batch, of="text").logits.float().squeeze(-1), batch["target"]
        return Loss({"mse": Mean(((said - right) ** 2).sum(), "rows")}, answers={"said": said, "right": right})

    def measure(self, answers: dict[str, NDArray[Any]]) -> dict[str, float]:
        """`pearson` and `spearman`; `variance` is the squared error of whoever always says the mean."""
        from smolrecipes.objectives.answers import pearson, spearman

        said, right = answers["said"].astype(float), answers["right"].astype(float)
        return {"pearson": pearson(said, right), "spearman": spearman(said, right), "variance": float(right.var())}
