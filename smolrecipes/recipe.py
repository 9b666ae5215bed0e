"""Recipe and Training: the value that a run is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.component import Component, option
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Adapter, Architecture, Callback, Data, Evaluator, Exporter, Objective, Tokenizer
from smolrecipes.limits import Ge, Gt, Le, Lt, Positive, ShareOrCount

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import Trainer


class Training(Component):
    """How long, how fast, in which precision. The global batch is the option: micro-batch and accumulation are derived."""

    epochs: Annotated[float, Gt(0)] | None = None
    """Passes over the training rows; 1 when neither steps nor tokens are given."""
    steps: Positive | None = None
    """Optimizer steps."""
    tokens: Positive | None = None
    """Input tokens to train on, over all processes (rounded up to whole steps)."""
    global_batch_size: Positive = 16
    """Rows (pairs, blocks) per optimizer step, over all processes and accumulation."""
    global_batch_tokens: Positive | None = None
    """Tokens per optimizer step instead of rows: about so many, in whole rows; at least so many on average."""
    micro_batch_size: Positive | None = option(default=None, affects_weights=False)
    """Rows per forward pass on one process; by default about as many as have 2,048 tokens on a CPU (4,096 without an adapter), the memory on a GPU."""
    max_length: Positive = 512
    """Tokens per row or block; what is longer is cut, and counted."""
    optimizer: Literal["adamw", "muon", "adamw_8bit"] = "adamw"
    """muon orthogonalises the updates of hidden matrices at AdamW's own rates (arXiv:2502.16982), the rest stays with
    AdamW; adamw_8bit holds AdamW's state in 8 bits (arXiv:2110.02861), on a GPU with bitsandbytes."""
    learning_rate: Annotated[float, Gt(0)] = 5e-4
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """How the rate falls after warm-up; wsd is warm-up, stable, decay over the last fifth (arXiv:2404.06395)."""
    final_rate: Annotated[float, Ge(0), Le(1)] = 0.0
    """Where the rate ends, as a share of its peak; wsd rises from there as well."""
    warmup: Annotated[float, Ge(0), Le(1)] = 0.05
    """Share of the steps in which the rate rises from 0."""
    weight_decay: Annotated[float, Ge(0)] = 0.0
    """Decoupled weight decay, not on biases and norms."""
    max_grad_norm: Annotated[float, Ge(0)] = 1.0
    """Gradients are scaled down to this global norm; 0 leaves them."""
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = "auto"
    """auto is bfloat16 where the GPU has it, float32 elsewhere; tf32 is float32 with faster, shorter products on a GPU."""
    device: Literal["auto", "cpu", "cuda", "mps"] = option(default="auto", affects_weights=False)
    """auto takes cuda, then mps, then cpu; what was chosen is printed."""
    threads: Positive | None = option(default=None, affects_weights=False)
    """CPU threads of each process; its share of the cores when None and OMP_NUM_THREADS is not set."""
    gradient_checkpointing: bool | Literal["selective", "offload"] = option(default=False, affects_weights=False)
    """Recompute activations in the backward pass: less memory, slower by a third to a half. selective keeps the results of
    matrix products and attention and recomputes the rest, for large models: the bookkeeping costs a small one more than it
    saves; offload holds what each block keeps in host memory."""
    compile: bool = option(default=False, affects_weights=False)
    """torch.compile each block: a minute at the start, faster steps on a GPU; needs a C++ compiler on a CPU."""
    packing: bool = option(default=True, affects_weights=False)
    """Sequences lie side by side without padding, where the architecture is exact so; False pads them."""
    group_by_length: bool = option(default=False, added=True)
    """Where rows are padded: the rows of 50 batches are sorted by length, so that each batch is of like ones. Less padding,
    and batches that are less alike: measure what it costs."""
    rehearse: bool = option(default=True, affects_weights=False)
    """Run the longest batch once before step one, to know the memory it takes; on a GPU it chooses the micro-batch. A
    trainer by itself (`recipe.trainer()`) is not rehearsed."""
    log_every: Positive = option(default=10, affects_weights=False)
    """Steps between logged numbers."""
    evaluate_every: Positive | None = option(default=None, affects_weights=False)
    """Steps between held-out evaluations; they always happen before the first and after the last step."""
    save_every: Positive | None = option(default=None, affects_weights=False)
    """Steps between checkpoints to resume from; by default ten a run, at least 50 steps apart."""
    keep_checkpoints: Positive = option(default=2, affects_weights=False)
    """How many checkpoints are kept."""
    hf: dict[str, Any] = option(factory=dict)
    """Any further `transformers.TrainingArguments` field, checked against the real fields."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("epochs", "steps", "tokens") if getattr(self, name) is not None]
        if len(given) > 1:
            raise RecipeError(f"Training: give one of epochs, steps, tokens, not {' and '.join(given)}")
        if self.global_batch_tokens and self.global_batch_size != self.options()["global_batch_size"].default:
            raise RecipeError("Training: give global_batch_size or global_batch_tokens, not both")
        if self.global_batch_tokens and self.global_batch_tokens < 2 * self.max_length:
            raise RecipeError(
                f"Training.global_batch_tokens={self.global_batch_tokens}: a batch holds whole rows, so it needs at "
                f"least {2 * self.max_length} (two of max_length)"
            )
        if self.final_rate and self.schedule == "constant":
            raise RecipeError(
                "Training: a constant schedule does not fall; leave final_rate out, or take another schedule"
            )
        if self.optimizer != "adamw" and (theirs := {"optim", "optim_args", "optim_target_modules"} & {*self.hf}):
            raise RecipeError(
                f"Training: give optimizer={self.optimizer} or hf's {min(theirs)}={self.hf[min(theirs)]}, not both"
            )


class Recipe(Component):
    """An experiment as a value: import it, compare it, `replace` its parts, print it, store it as JSON."""

    model: Architecture | str
    """The architecture, or weights: `Trained(recipe)`, a folder, or a hub id."""
    data: Data | str
    """The training rows: a component, a file, or a registered name."""
    objective: Objective
    """What is minimised."""
    tokenizer: Tokenizer | str | None = None
    """None takes the one that comes with the model's weights."""
    adapter: Adapter | None = None
    """None trains every weight."""
    training: Training = option(factory=Training)
    """How long, how fast, in which precision."""
    validation: Data | Annotated[float, ShareOrCount()] | str = 0.02
    """Held-out rows: data, a share below 1, or a count from 1 on; 0 holds out none."""
    holdout: Literal["random", "near", "phrases", "last"] = "random"
    """Which rows a share or count takes: drawn, equal prompts and texts on one side; near: near-duplicates as well; phrases:
    drawn so that none lies inside a training text; or the last in order, text cut at the character where a share begins."""
    decoding: Decoding = option(factory=Decoding, affects_weights=False)
    """How samples and answers are generated."""
    callbacks: tuple[Callback, ...] = option(default=(), affects_weights=False)
    """What watches the run, besides progress, metrics and the guard."""
    evaluators: tuple[Evaluator, ...] = option(default=(), affects_weights=False)
    """Numbers about the trained model."""
    exporters: tuple[Exporter, ...] = option(default=(), affects_weights=False)
    """Deliverables to make at the end."""
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    """Every random choice follows from it."""
    title: str = option(default="", affects_weights=False)
    """The name of the run's folder; the recipe file's own when empty."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.holdout != "random" and isinstance(self.validation, (Data, str)):
            raise RecipeError(
                f"Recipe: holdout={self.holdout} takes a share or count of data, but validation is data of its own"
            )
        if {"/", "\\"} & set(self.title) or self.title.startswith("."):
            raise RecipeError(f"Recipe.title: it names a folder among the runs, so no path such as '{self.title}'")
        if self.adapter and self.training.optimizer == "muon":
            raise RecipeError(
                "training.optimizer=muon is for whole matrices; the factors of an adapter learn better with adamw"
            )

    def override(self, *assignments: str) -> Recipe:
        """A copy changed by `path=value` and `kind=name` assignments, as on the command line."""
        from smolrecipes.override import override

        return override(self, assignments)

    def trainer(self, runs: str | Path = "runs") -> Trainer:
        """The plain trainer, ready to `train()`; base recipes are trained first."""
        from smolrecipes.run import ready

        return ready(self, runs=runs).trainer
