"""The nine kinds of components: what each makes, and from what. Heavy imports stay inside method bodies."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from smolrecipes.component import Component, option
from smolrecipes.errors import RecipeError, needs
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from datasets import Dataset
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module
    from transformers import (
        PreTrainedModel,
        PreTrainedTokenizerBase,
        Trainer,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )
    from typing_extensions import Self

    from smolrecipes.decoding import Decoding
    from smolrecipes.recipe import Recipe
    from smolrecipes.run import Run

    Facts = Mapping[str, NDArray[Any]]


class Tokenizer(Component, kind="tokenizer"):
    """A way to obtain or train a tokenizer."""

    @abstractmethod
    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """The tokenizer; one that learns does so from its own data, or else from `rows`, the recipe's training rows."""


class Architecture(Component, kind="architecture"):
    """A model: built from canonical sizes, or loaded with its weights."""

    family: ClassVar[str] = "decoder"
    """decoder, encoder or encoder-decoder; empty where only its weights tell."""
    lacks: ClassVar[tuple[str, ...]] = ()
    """What it cannot do, of: sdpa, gradient checkpointing, all linear layers (a LoRA reaches only some of its matrices)."""

    @abstractmethod
    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> PreTrainedModel:
        """The model with the head that the objective asks for (`causal`, `masked`, ...: `architectures/heads.py`)."""

    def outline(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> Any:
        """What `build` makes, without weights, for checks before anything is trained; None where nobody can tell."""
        return None

    def packs(self, model: PreTrainedModel) -> bool:
        """Whether its attention is exact when sequences lie side by side without padding (`smolrecipes.attention`).

        It is for a plain softmax over the keys, with or without a window, and positions taken from `position_ids`.
        """
        return False

    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer that comes with the weights; None when it is built from scratch."""
        return None


class Data(Component, kind="data"):
    """Rows, each of one of the row types (see `smolrecipes.data.rows`)."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Those that decide what is read, by the names that they are imported by: their versions count as its content does."""
        return ()

    @abstractmethod
    def load(self) -> Dataset:
        """Rows with canonical columns and `origin`, which says where a row came from (`prefs.jsonl:17`)."""

    def stream(self, said: list[str]) -> Iterator[dict[str, Any]]:
        """The rows one by one, without holding them all where that can be; `said` collects how they were read."""
        from smolrecipes.data.rows import each

        rows = self.load()
        yield from each(rows)
        said += filter(None, [rows.info.description])

    def parts(self) -> Sequence[Data]:
        """Itself in pieces whose rows, one after the other, are its own: they can be read at the same time."""
        return (self,)

    def pipe(self, *steps: Transform) -> Data:
        """Its rows after these steps, each of which takes what the one before leaves."""
        from smolrecipes.data.piped import Piped

        for step in steps:
            if isinstance(step, type) and issubclass(step, Transform):
                raise RecipeError(f"pipe: a step is made, not named: write {step.__name__}() for {step.__name__}")
            if not isinstance(step, Transform):
                raise RecipeError(f"pipe: takes steps such as FixText(), one after the other, not {step!r:.60}")
        return Piped(self, steps)


class Outcome(NamedTuple):
    """What became of a row in a step."""

    row: dict[str, Any] | None
    """As it goes on, changed or not; None where it is dropped."""
    reasons: tuple[str, ...] = ()
    """Why it was dropped, or what was changed in it: the report counts them."""
    like: str = ""
    """The origin of what it was found to be like, where it was compared: the report's examples show it."""


class Transform(Component, kind="transform"):
    """One step of data preparation: rows in, rows out, and what became of each.

    A step that looks at each row by itself is its `treat`. One that has to know all rows (what was there before, how many
    there are) first takes a `survey` of each shard, then `decide`s once for all, and then goes over the rows again. Where a
    survey that is small cannot tell enough, `narrow` chooses what is then to be inspected, and that is decided on.
    """

    rows: ClassVar[tuple[str, ...]] = ()
    """The row types that it reads; any, where there are none."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Those that only some steps need, by the names that they are imported by: their versions count as its code does."""
    private: ClassVar[bool] = False
    """Whether it takes out what others are not to see: reports of it and cards of its rows show no texts."""

    def check(self) -> None:
        """RecipeError where it cannot run, for want of a package say; asked before anything is read."""
        for package in self.packages:
            needs(package, self.name)

    def treat(self, row: dict[str, Any]) -> Outcome:
        """What becomes of one row; it may be changed in place no deeper than its own keys."""
        raise NotImplementedError(f"{type(self).__name__} has neither `treat` nor `apply`")

    def survey(self, rows: Iterable[dict[str, Any]]) -> Facts:
        """What has to be known of the rows of one shard: arrays by name, small beside the rows."""
        return {}

    def narrow(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """Of each shard, what `inspect` has to know: which of its rows are in question, by the surveys of all."""
        return surveys

    def inspect(self, rows: Iterable[dict[str, Any]], known: Facts) -> Facts:
        """A closer survey of the rows in question of one shard, for `decide` in place of the first one."""
        return known

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """What `apply` has to know of each shard, from the surveys of all, in their order."""
        return surveys

    def apply(self, rows: Iterable[dict[str, Any]], known: Facts) -> Iterator[Outcome]:
        """The outcome of each row of a shard, in their order; `known` is what was decided for that shard."""
        return map(self.treat, rows)


@dataclass(frozen=True)
class Mean:
    """A sum and what it is a sum over; the core divides by the count of the whole global batch."""

    sum: Tensor
    over: str
    """The name of a count that `Objective.counts` gives: tokens, pairs, rows."""
    weight: float = 1.0


@dataclass(frozen=True)
class Loss:
    """What an objective computed on one micro-batch: the loss is the weighted sum of the terms' means."""

    terms: dict[str, Mean]
    metrics: dict[str, Mean] = field(default_factory=dict)
    """Further numbers to log, each averaged like a term, without weight in the loss."""
    answers: dict[str, Tensor] = field(default_factory=dict)
    """What the model answers and what is right, first dimension alike: `Objective.measure` gets those of all held-out rows."""


@dataclass(frozen=True)
class Layout:
    """How the sequences of a batch become tensors: side by side where the architecture packs, else padded."""

    pad_id: int = 0
    packed: bool = False
    """Whether the model's attention takes sequences side by side."""
    first: int = 0
    """The position of a sequence's first token; RoBERTa and its kin count from the padding token's id on."""
    start_id: int = 0
    """The token that the decoder of an encoder-decoder starts with."""

    def __call__(self, sequences: Sequence[tuple[Any, ...]], causal: bool = True) -> dict[str, Any]:
        """A batch of sequences, each an `objectives.layout.Sequence` or the tuple (ids, labels), lists of one length.

        Labels are aligned with the ids, -100 where nothing is learned; that of a token is predicted at the one before
        it, or at its own place when not `causal`. `shares=(i, n)`: the first n ids are those of sequence i, which
        packing does not compute again. Returns `input_ids`, (1, tokens) packed or (sequences, longest) padded, with
        what the model needs beside them (`position_ids` and `spans`, or `attention_mask` when there is padding;
        `token_type_ids` where sequences have types); `at`, `labels`, `rows`, (labelled,) each: where in the flattened
        positions a label is predicted, which, and of which sequence it is; `sequences`, their number; and
        `input_tokens`, their tokens, every sequence counted whole.
        """
        from smolrecipes.objectives.layout import lay_out

        return lay_out(sequences, self, causal)

    def pairs(self, sources: Sequence[Any], targets: Sequence[Any]) -> dict[str, Any]:
        """A batch for an encoder-decoder: the ids of each source, and those of each target, all of which are learned.

        Returns `input_ids` and `attention_mask`, (pairs, longest source); `decoder_input_ids`, (pairs, longest target),
        the target after `start_id`; and, as for other sequences, `at`, `labels`, `rows`, `sequences` and
        `input_tokens`, those of both sides.
        """
        from smolrecipes.objectives.layout import lay_out_pairs

        return lay_out_pairs(sources, targets, self)


@dataclass(frozen=True)
class Parts:
    """What a trainer is made of, once everything is built."""

    model: PreTrainedModel
    arguments: TrainingArguments
    tokenizer: PreTrainedTokenizerBase
    train_rows: Dataset
    validation_rows: Dataset | None
    train: Dataset
    validation: Dataset | None
    """Rows prepared by the objective (`train_rows` and `validation_rows` are as they were loaded)."""
    callbacks: Sequence[Any]
    batch: int
    """Rows of a global batch."""
    batch_tokens: int | None
    """Or its tokens, when given."""
    max_length: int
    seed: int
    layout: Layout


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


class Adapter(Component, kind="adapter"):
    """What is trained instead of all the weights."""

    def check(self) -> None:
        """Raises RecipeError where this cannot run; called before anything is built."""

    def check_targets(self, model: PreTrainedModel) -> None:
        """Raises RecipeError where the model lacks what it adapts; the model's weights may be empty."""

    @abstractmethod
    def apply(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Any:
        """The model with the adapter, a `peft.PeftModel`."""


class Callback(Component, kind="callback"):
    """Something that watches a run: itself a `TrainerCallback`, usable in any transformers or TRL Trainer."""

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called when the trainer is made; every other `on_*` event of `TrainerCallback` has the same signature."""


for _event in [
    "train_begin",
    "train_end",
    "epoch_begin",
    "epoch_end",
    "step_begin",
    "pre_optimizer_step",
    "optimizer_step",
    "substep_end",
    "step_end",
    "evaluate",
    "predict",
    "save",
    "log",
    "prediction_step",
    "push_begin",
]:
    setattr(Callback, f"on_{_event}", Callback.on_init_end)


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


class Exporter(Component, kind="exporter"):
    """A deliverable made from a finished run."""

    def check(self, run: Run) -> None:
        """RecipeError where it cannot be made of this run; asked before anything is made."""

    @abstractmethod
    def export(self, run: Run) -> Path:
        """Where the deliverable lies."""


KINDS: dict[str, type[Component]] = {
    cls.kind: cls
    for cls in (Tokenizer, Architecture, Data, Transform, Objective, Adapter, Callback, Evaluator, Exporter)
}
