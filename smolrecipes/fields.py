"""Further fields of transformers' TrainingArguments, as `training.hf` gives them: which are refused, and what to set instead."""

from __future__ import annotations

from typing import Any

from smolrecipes.errors import RecipeError

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
    **dict.fromkeys(("data_seed", "length_column_name"), _OWN_LOADER),
    **dict.fromkeys(("group_by_length", "train_sampling_strategy"), "set training.group_by_length"),
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
    **dict.fromkeys(("torch_compile", "torch_compile_backend", "torch_compile_mode"), "set training.compile"),
    "neftune_noise_alpha": "its noise follows the length of a row, and rows lie side by side here",
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
        if name == "report_to":
            _check_reports(value)
        if why := REFUSED.get(name) or (_decided(name) if name in decided and name not in TRACKERS else ""):
            raise RecipeError(f"training.hf: '{name}' would not be used: {why}")
        try:
            TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"].replace("Input should be", "should be")
            raise RecipeError(f"training.hf.{name}: {why}, not {value!r}") from None
    return given


def _check_reports(asked: Any) -> None:
    """That what a run reports to is installed."""
    from transformers.integrations import get_available_reporting_integrations

    known = {"none", "all", *get_available_reporting_integrations()}
    for name in [asked] if isinstance(asked, str) else asked or ():
        if name not in known:
            raise RecipeError(f"training.hf.report_to: {name} is not installed; install it, or leave it out")


def _decided(name: str) -> str:
    """Why a field is the recipe's."""
    return "the recipe decides it" + (f": set {INSTEAD[name]}" if name in INSTEAD else "")
