"""An evaluator: numbers about a trained model."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from smolrecipes.component import Component, option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds.data import Data
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from datasets import Dataset
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.decoding import Decoding
    from smolrecipes.recipe import Recipe
    from smolrecipes.run import Run


class Weights(NamedTuple):
    """Where a model lies."""

    path: str
    """A folder, or a hub id."""
    revision: str | None = None
    """A branch, tag or commit on the hub."""


@dataclass(frozen=True)
class Subject:
    """A trained model as it is evaluated: with the template, the control tokens and the decoding of its training."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    decoding: Decoding
    folder: Path | None = None
    """Where it lies; None while it is trained."""
    base: Weights | None = None
    """The model that it was tuned from, if there is one."""
    recipe: Recipe | None = None
    """The recipe of its run, if it has one."""
    file: Path | None = None
    """The GGUF file that was exported from it: llama.cpp answers with it in the model's place."""


@dataclass(frozen=True)
class Scores:
    """What an evaluator found, row by row."""

    columns: Mapping[str, Sequence[float]]
    """Numbers by name, one for each row: `Evaluator.measure` makes those of all rows from them."""
    shown: Sequence[dict[str, str]] = ()
    """For people, one for each row: what was asked, what was answered, what is right."""


class Evaluator(Component, kind="evaluator"):
    """Numbers about a trained model, made from what is found of each row by itself: so two models can be compared."""

    rows: ClassVar[tuple[str, ...]] = ()
    """The row types it reads, the best first; none where it brings its own questions."""
    compares: ClassVar[bool] = False
    """Whether its numbers compare two models already, so that no second one is set beside them."""

    data: Data | str | None = option(default=None, affects_weights=False)
    """The rows; None takes the held-out ones of the run."""
    max_rows: Positive | None = option(default=500, affects_weights=False)
    """At most so many rows, spread evenly over the data; None takes all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rows and (given := self.changed().keys() & {"data", "max_rows"}):
            raise RecipeError(f"{self.name}.{min(given)}: it brings its own questions and reads no rows; leave it out")

    @property
    def asks(self) -> bool:
        """Whether it goes by what a model answers alone, which a GGUF file tells as well."""
        return False

    def check(self, subject: Subject) -> None:
        """RecipeError where a model cannot be evaluated so; asked before anything is scored."""
        if subject.file and not self.asks:
            raise RecipeError(
                f"{self.name}: {subject.file.name} only answers; function_calls, exact_match and classify.by=generation go by "
                "answers, and its run can be asked everything"
            )

    def length(self, row: dict[str, Any], subject: Subject) -> int:
        """How many tokens the model reads at once for a row: one with more than it can read is left out. 0 for any."""
        return 0

    @abstractmethod
    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """Each row by itself; `rows` are of one of the types it reads, `origin` says where each came from."""

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        """The numbers of some rows, (rows,) float64 each: the means, unless they are something else."""
        return {name: float(values.mean()) for name, values in columns.items()}

    def evaluate(self, run: Run) -> dict[str, float]:
        """The numbers by name."""
        from smolrecipes.evaluation import evaluate, subject_of

        return evaluate(self, subject_of(run.model, run.recipe)).numbers
