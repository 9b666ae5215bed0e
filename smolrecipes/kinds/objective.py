"""An objective: what is learned of a row, and the loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.component import Component
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainingArguments
    from typing_extensions import Self

    from smolrecipes.kinds.architecture import Architecture
    from smolrecipes.kinds.batch import Layout, Loss, Parts
    from smolrecipes.kinds.tokenizer import Tokenizer

AnswersFor = Literal["token", "text", "choice"]


class Objective(Component, kind="objective"):
    """What is minimised: how a row becomes tokens and labels, and the loss."""

    rows: ClassVar[tuple[str, ...]]
    """The row types it reads, the best first."""
    families: ClassVar[tuple[str, ...]] = ("decoder",)
    head: ClassVar[str] = "causal"
    types: ClassVar[tuple[str, ...]] = ()
    """The model types it fits, where it does not fit all that have the head."""
    likelihood: ClassVar[bool] = False
    """Whether every label counts the same, so that `token_nll` computes the loss; a run says which kernel does."""
    packs: ClassVar[bool] = True
    """Whether its sequences may lie side by side in one row."""
    answers_for: ClassVar[AnswersFor] = "token"
    """What its head answers for. For a whole text or choice it reads one token, which is probed before texts are packed."""
    owns: ClassVar[tuple[str, ...]] = ()
    """Submodules that `complete` gives the model (`generator`): trained with it, and saved beside it, each by itself."""
    metrics: ClassVar[tuple[str, ...]] = ()
    """The held-out numbers that say how good it is; the first that there is stands in a run's last table."""
    prepare_reads: ClassVar[tuple[str, ...] | None] = None
    """The options that `prepare`, `arrange`, `precompute` and what they call read; changes of others leave the cached
    examples valid. None: all. Each class says it for itself, since it is not inherited."""

    @abstractmethod
    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """One row as token ids and labels (lists or arrays); None when nothing in it can be learned within `max_length`."""

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """What `prepare` makes of each row. Override it where a batch is faster than its rows; it then uses all cores
        itself, where rows by themselves are shared out over processes."""
        made = []
        for row in rows:
            try:
                made.append(self.prepare(row, tokenizer, max_length))
            except RecipeError as error:
                raise RecipeError(f"{row['origin']}: {error}") from None
        return made

    def fitted(self, rows: Dataset) -> Self:
        """Itself with what only the training rows tell, such as the names of the classes; asked before anything is built."""
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, where its head tells classes apart."""
        return ()

    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer that it brings where neither the recipe nor the model has one: a teacher's."""
        return None

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Gives a new model what the objective needs beside it: the submodules that it `owns`, or a frozen teacher."""

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """The prepared examples as they are trained on; CLM packs documents into blocks here."""
        return examples

    @property
    def redraws(self) -> bool:
        """Whether `draw` draws anew in each epoch, or once and for all."""
        return True

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """An example with what is drawn for it: masks, noise, order.

        `rng` follows from the seed, the epoch and the example alone, so that nothing depends on batches or processes;
        that of a held-out example is always the same. Called just before `collate`.
        """
        return example

    def precompute(
        self,
        examples: Dataset,
        model: PreTrainedModel,
        layout: Layout,
        rows: int,
        keep: Callable[[Callable[[], Dataset]], Dataset],
    ) -> Dataset:
        """The examples with what is computed once before training, such as DPO's reference log-probabilities.

        `rows` is as many as one forward pass may take; `keep(make)` returns what `make()` makes, from the cache when these examples and this model were here before.
        """
        return examples

    @abstractmethod
    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """A batch: what `layout` makes of the examples' sequences, or tensors of its own."""

    @abstractmethod
    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """How many tokens, pairs, rows the terms of the loss are sums over, from the batch alone."""

    @abstractmethod
    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """The loss on one micro-batch, as sums. `model` may be wrapped (DDP, DeepSpeed)."""

    def measure(self, answers: dict[str, NDArray[Any]]) -> dict[str, float]:
        """Numbers that no mean over batches gives (F1, correlations), from the `Loss.answers` of all held-out rows."""
        return {}

    def token_logps(self, model: Module, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Of a decoder and a batch that `layout` made: the labels' log-probabilities, (labelled,) in float32, and the
        sequence each belongs to, (labelled,). No logit is computed that no label needs."""
        from smolrecipes.objectives.forward import token_logps

        return token_logps(model, batch)

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """The training arguments of its trainer, made of the recipe's options."""
        from transformers import TrainingArguments

        return TrainingArguments(**options)

    def trainer(self, parts: Parts) -> Trainer:
        """The trainer: ours, which calls `loss`. Override it to return any other."""
        from smolrecipes.trainer import RecipeTrainer

        return RecipeTrainer(self, parts)
