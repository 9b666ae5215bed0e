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
TRACKERS = ("report_to", "run_name")
"""Fields that change nothing about the weights and may be set freely."""

_OWN_LOADER = "rows are read, ordered and batched by the recipe's own loader"
_PUSHED = "smolrecipes export RUN --to hub does it, once the run is finished"
_UNREAD = "nothing here reads it"
_FITTED = "it follows from training.global_batch_size, the processes and the data"
REFUSED = {
    **dict.fromkeys(("max_steps", "num_train_epochs"), "set training.steps, epochs or tokens"),
    **dict.fromkeys(("per_device_train_batch_size", "per_device_eval_batch_size"), "set training.micro_batch_size"),
    **dict.fromkeys(("gradient_accumulation_steps", "auto_find_batch_size"), _FITTED),
    **dict.fromkeys(("warmup_steps", "warmup_ratio"), "set training.warmup, a share of the steps"),
    **dict.fromkeys(("save_steps", "save_strategy"), "set training.save_every"),
    **dict.fromkeys(("dataloader_num_workers", "dataloader_drop_last", "dataloader_prefetch_factor"), _OWN_LOADER),
    **dict.fromkeys(("data_seed", "train_sampling_strategy", "group_by_length", "length_column_name"), _OWN_LOADER),
    **dict.fromkeys(("dataloader_persistent_workers", "dataloader_in_order"), _OWN_LOADER),
    "dataloader_multiprocessing_context": _OWN_LOADER,
    **dict.fromkeys(("torch_empty_cache_steps", "eval_accumulation_steps", "batch_eval_metrics"), _UNREAD),
    **dict.fromkeys(("prediction_loss_only", "include_for_metrics", "eval_do_concat_batches"), _UNREAD),
    "eval_use_gather_object": _UNREAD,
    "average_tokens_across_devices": "a loss is always divided by what all processes count",
    **dict.fromkeys(("bf16_full_eval", "fp16_full_eval"), "set training.precision, which evaluations follow"),
    "include_num_input_tokens_seen": "they are counted and logged anyway",
    "label_smoothing_factor": "the loss is the objective's own",
    **dict.fromkeys(("gradient_checkpointing", "gradient_checkpointing_kwargs"), "set training.gradient_checkpointing"),
    "resume_from_checkpoint": "an interrupted run resumes by itself",
    "eval_on_start": "held-out numbers always come before the first and after the last step",
    "load_best_model_at_end": "the run keeps the last weights",
    "torch_compile": "set training.compile",
    **dict.fromkeys(("push_to_hub", "hub_model_id", "hub_strategy", "hub_private_repo"), _PUSHED),
    **dict.fromkeys(("hub_always_push", "hub_revision"), _PUSHED),
    "deepspeed": "launch with accelerate launch --use_deepspeed --zero_stage 2",
    "fsdp": "launch DDP or DeepSpeed ZeRO-2",
    **dict.fromkeys(("hub_token", "push_to_hub_token"), "recipes are stored: set HF_TOKEN in the environment"),
}
"""Fields of TrainingArguments that nothing here would read, or that the recipe decides, and what to do instead."""

INSTEAD = {
    "learning_rate": "training.learning_rate",
    "lr_scheduler_type": "training.schedule",
    "lr_scheduler_kwargs": "training.final_rate",
    "weight_decay": "training.weight_decay",
    "max_grad_norm": "training.max_grad_norm",
    "activation_checkpointing": "training.gradient_checkpointing",
    "activation_checkpointing_kwargs": "training.gradient_checkpointing",
    "logging_steps": "training.log_every",
    **dict.fromkeys(("eval_steps", "eval_strategy"), "training.evaluate_every"),
    "save_total_limit": "training.keep_checkpoints",
    "seed": "seed",
    "use_cpu": "training.device",
    **dict.fromkeys(("bf16", "fp16", "tf32"), "training.precision"),
    "optim": "training.optimizer",
}
"""What the recipe says where TrainingArguments has a field for it."""


def options(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What the recipe decides of TrainingArguments; `training.hf` may add to it, not contradict it."""
    import torch

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
        from smolrecipes.memory import selective

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


def checked_hf(given: dict[str, Any], decided: dict[str, Any]) -> dict[str, Any]:
    """`training.hf`, or RecipeError for a field that TrainingArguments lacks or that the recipe already decides."""
    import dataclasses
    from typing import get_type_hints

    from pydantic import TypeAdapter, ValidationError
    from transformers import TrainingArguments

    from smolrecipes.errors import nearest

    fields = {field.name for field in dataclasses.fields(TrainingArguments) if field.init}
    types = get_type_hints(TrainingArguments)
    for name, value in given.items():
        if name not in fields:
            raise RecipeError(f"training.hf: TrainingArguments has no field '{name}'{nearest(name, fields)}")
        if name == "optim" and str(value) in ("lomo", "adalomo"):
            raise RecipeError(
                f"training.hf.optim={value}: it steps in each backward pass, so a batch could not be cut into passes; take "
                "adafactor, or an adapter"
            )
        if name in ("optim_args", "optim_target_modules") and "optim" not in given:
            raise RecipeError(f"training.hf.{name}: AdamW reads none; give it with the hf.optim that does")
        if why := REFUSED.get(name) or (_decided(name) if name in decided and name not in TRACKERS else ""):
            raise RecipeError(f"training.hf: '{name}' would not be used: {why}")
        try:
            TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"].replace("Input should be", "should be")
            raise RecipeError(f"training.hf.{name}: {why}, not {value!r}") from None
    return given


def _decided(name: str) -> str:
    """Why a field is the recipe's."""
    return "the recipe decides it" + (f": set {INSTEAD[name]}" if name in INSTEAD else "")


def rows_seen(parts: Parts, steps: int) -> int:
    """Rows that so many steps take; about so many, where a batch is of tokens."""
    from smolrecipes.batches import count_batches
    from smolrecipes.examples import lengths

    if not parts.batch_tokens:
        return steps * parts.batch
    return round(steps * len(parts.train) / count_batches(lengths(parts.train), parts.batch, parts.batch_tokens))


def rows_per_batch(training: Training, sizes: Any) -> int:
    """Rows of a global batch; on average, when it is given in tokens. sizes: the tokens of each row."""
    from smolrecipes.batches import count_batches

    if not training.global_batch_tokens:
        return training.global_batch_size
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
        steps = ceil(training.tokens * per_epoch / sum(sizes))
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
    """Passes that a global batch takes on each process. inputs: the tokens that are computed of each row.

    The longest batch must fit; on a CPU the usual one is also split, to at most CPU_TOKENS, or, where all weights are
    trained (full), to about twice as many.
    """
    world: int = arguments.world_size
    share = ceil(rows / world)
    if training.micro_batch_size:
        return ceil(share / training.micro_batch_size)
    longest = float(sum(sorted(inputs)[-rows:]) / world if packed else share * max(inputs))
    usual = share * float(sum(inputs)) / len(inputs) / CPU_TOKENS / (1 + full) if _splits(arguments) else 0.0
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
