"""What a recipe's Training becomes: transformers' TrainingArguments, with batches and steps fitted to the data."""

from __future__ import annotations

import os
from math import ceil, inf
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import TrainingArguments

    from smolrecipes.kinds import Objective, Parts
    from smolrecipes.prepare import Prepared
    from smolrecipes.recipe import Recipe, Training

MICRO_TOKENS = 16_384
"""Tokens that one forward pass takes at most, unless the recipe says how many rows."""
CPU_TOKENS = 2_048
"""Of a usual forward pass on a CPU, where more at once is no faster and takes as much more memory; twice as many where
all weights are trained, whose gradients each further pass has to make and add."""


def options(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What the recipe decides of TrainingArguments; `training.hf` may add to it, not contradict it."""
    import torch

    from smolrecipes.fields import checked_hf
    from smolrecipes.launch import device_options, precision_options
    from smolrecipes.optimizers import optimizer_options

    training = recipe.training
    cpu = device_options(training.device)["use_cpu"]
    cuda = not cpu and torch.cuda.is_available()
    decided = {
        "output_dir": str(folder / "checkpoints"),
        "learning_rate": training.learning_rate,
        **schedule(training),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        **checkpointing(training.gradient_checkpointing, cuda),
        "logging_steps": training.log_every,
        "eval_strategy": "steps" if training.evaluate_every else "no",
        "eval_steps": training.evaluate_every,
        "save_total_limit": training.keep_checkpoints,
        "seed": recipe.seed,
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "logging_nan_inf_filter": False,  # it would show a loss of 0.0 for NaN
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,
        "use_cpu": cpu,
        **optimizer_options(training.optimizer, cuda),
        **precision_options(training.precision, cuda),
    }
    os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16" if decided["bf16"] else "fp16" if decided["fp16"] else "no"
    return {**decided, **checked_hf(training.hf, decided)}


def schedule(training: Training) -> dict[str, Any]:
    """The TrainingArguments that say how the rate falls; wsd's own lengths follow in `fit`."""
    floor = training.final_rate
    if training.schedule == "wsd":
        return {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"min_lr_ratio": floor}}
    if training.schedule == "constant":
        return {"lr_scheduler_type": "constant_with_warmup"}
    if not floor:
        return {"lr_scheduler_type": training.schedule}
    if training.schedule == "cosine":
        return {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": floor}}
    end = {"lr_end": floor * training.learning_rate, "power": 1.0}
    return {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": end}


def checkpointing(asked: bool | str, cuda: bool) -> dict[str, Any]:
    """The TrainingArguments that say what the backward pass recomputes."""
    if asked == "offload" and not cuda:
        raise RecipeError("training.gradient_checkpointing=offload moves a GPU's memory to the host; here take true")
    if asked == "selective":
        from smolrecipes.selective import selective

        more: dict[str, Any] = {"context_fn": selective}
    else:
        more = {"offload": True} if asked == "offload" else {}
    return {
        "activation_checkpointing": bool(asked),
        "activation_checkpointing_kwargs": {"use_reentrant": False, **more},
    }


def accepted(objective: Objective, decided: dict[str, Any]) -> TrainingArguments:
    """The training arguments, or RecipeError with why transformers refuses a value or a combination."""
    try:
        return objective.arguments(decided)
    except (TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise RecipeError(f"training: TrainingArguments refuses these options: {why[:300]}") from error


def rows_seen(parts: Parts, steps: int) -> int:
    """Rows that so many steps take; about so many, where a batch is of tokens."""
    from smolrecipes.batches import count_batches
    from smolrecipes.examples import lengths

    if not parts.batch_tokens:
        return steps * parts.batch
    return round(steps * len(parts.train) / count_batches(lengths(parts.train), parts.batch, parts.batch_tokens))


def rows_per_batch(training: Training, sizes: Any) -> int:
    """Rows of a global batch, all at the most; on average, when it is given in tokens. sizes: the tokens of each row."""
    from smolrecipes.batches import count_batches

    if not training.global_batch_tokens:
        return min(training.global_batch_size, len(sizes))
    return ceil(len(sizes) / count_batches(sizes, training.global_batch_size, training.global_batch_tokens))


def fit(arguments: TrainingArguments, recipe: Recipe, train: Prepared, packed: bool) -> TrainingArguments:
    """Micro-batch, accumulation and steps, derived from the global batch, the processes and the data."""
    from smolrecipes.batches import count_batches
    from smolrecipes.examples import lengths

    training, sizes = recipe.training, lengths(train.examples)
    per_epoch = count_batches(sizes, training.global_batch_size, training.global_batch_tokens)
    rows = rows_per_batch(training, sizes)
    full = recipe.adapter is None
    inputs = lengths(train.examples, prompts=1 if packed else 2) - 1  # the last token is only a label
    accumulation = _micro_steps(arguments, training, inputs, rows, packed, full)
    micro = ceil(ceil(rows / arguments.world_size) / accumulation)
    arguments.per_device_train_batch_size = arguments.per_device_eval_batch_size = micro
    arguments.gradient_accumulation_steps = accumulation
    steps = training.steps or ceil((training.epochs or 1) * per_epoch)
    if training.tokens:
        steps = ceil(training.tokens * per_epoch / sizes.sum())
    arguments.max_steps = steps
    arguments.logging_steps = min(training.log_every, steps)
    arguments.warmup_steps = round(training.warmup * steps)
    arguments.save_steps = training.save_every or max(50, ceil(steps / 10))
    if training.schedule == "wsd":
        arguments.lr_scheduler_kwargs = {**arguments.lr_scheduler_kwargs, "num_decay_steps": ceil(steps / 5)}
    return arguments


def _micro_steps(
    arguments: TrainingArguments, training: Training, inputs: Any, rows: int, packed: bool, full: bool
) -> int:
    """Passes that a global batch takes on each process. inputs: the tokens that are computed of each row, an array.

    The longest batch must fit; on a CPU the usual one is also split, to at most CPU_TOKENS, or, where all weights are
    trained (full), to about twice as many.
    """
    import numpy as np

    world: int = arguments.world_size
    share = ceil(rows / world)
    if training.micro_batch_size:
        return ceil(share / training.micro_batch_size)
    longest = float(np.sort(inputs)[-rows:].sum() / world if packed else share * inputs.max())
    usual = share * float(inputs.mean()) / CPU_TOKENS / (1 + full) if _splits(arguments) else 0.0
    return max(1, round(usual) if full else ceil(usual), ceil(longest / _most_tokens(arguments, training)))


def _most_tokens(arguments: TrainingArguments, training: Training) -> float:
    """Tokens of a forward pass at the most; a GPU's are found by trying, where the rehearsal tries them."""
    tried = training.rehearse and arguments.device.type == "cuda" and not arguments.deepspeed_plugin
    return inf if tried and _ours(arguments) else MICRO_TOKENS


def _splits(arguments: TrainingArguments) -> bool:
    """Not for the trainers of others, some of which compute something else when they accumulate."""
    return arguments.device.type == "cpu" and _ours(arguments)


def _ours(arguments: TrainingArguments) -> bool:
    from transformers import TrainingArguments

    return type(arguments) is TrainingArguments
