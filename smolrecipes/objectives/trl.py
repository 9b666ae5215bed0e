"""Objectives on TRL's own trainers, which get the ids that ours get and the recipe's options, not TRL's defaults."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Objective

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset
    from torch.nn import Module
    from transformers import Trainer, TrainingArguments

    from smolrecipes.kinds import Layout, Loss, Parts
    from smolrecipes.objectives.dpo import DPO
    from smolrecipes.objectives.orpo import ORPO
    from smolrecipes.objectives.sft import SFT

Row = dict[str, Any]


class TRLObjective(Objective):
    """An objective whose loss is computed inside one of TRL's trainers, and nowhere else."""

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Never called: TRL's trainer collates."""
        raise NotImplementedError(f"{type(self).__name__} is collated by TRL's trainer")

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """Never called: TRL's trainer averages."""
        raise NotImplementedError(f"{type(self).__name__} is averaged by TRL's trainer")

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Never called: TRL's trainer computes it."""
        raise NotImplementedError(f"{type(self).__name__} is computed by TRL's trainer")


def trl_arguments(config: type[Any], options: dict[str, Any], **own: Any) -> TrainingArguments:
    """TRL's `config` from the recipe's options and from what the objective decides (`own`).

    Where TRL changes a default of transformers' TrainingArguments (bf16, gradient checkpointing, learning rate, ...),
    transformers' counts: what the recipe does not say must not depend on the engine. And dropout is the recipe's, the
    adapter's included, which TRL would switch off.
    """
    from transformers import TrainingArguments

    known = {field.name: field for field in dataclasses.fields(config)}
    for name, value in options.items():
        if name not in known:
            raise RecipeError(f"training.hf: {config.__name__} has no option '{name}'{nearest(name, known)}")
        if name in own and own[name] != value:
            raise RecipeError(f"training.hf.{name}: the objective decides it ({own[name]!r}); leave it out")
    plain = {f.name: f.default for f in dataclasses.fields(TrainingArguments) if f.default is not dataclasses.MISSING}
    changed = {name: value for name, value in plain.items() if known[name].default != value}
    changed |= {"disable_dropout": False} if "disable_dropout" in known else {}
    with warnings.catch_warnings():  # its new name is no field of TRL's yet
        warnings.filterwarnings("ignore", message="`gradient_checkpointing` is deprecated")
        try:
            arguments: TrainingArguments = config(**{**changed, **options, **own})
        except (TypeError, ValueError) as error:
            raise RecipeError(f"training: {config.__name__} refuses these options: {error}") from error
    return arguments


def sft_arguments(objective: SFT, options: dict[str, Any]) -> TrainingArguments:
    """SFTConfig; which tokens are learned is decided by the labels."""
    from trl import SFTConfig

    return trl_arguments(SFTConfig, options)


def sft_trainer(objective: SFT, parts: Parts) -> Trainer:
    """TRL's SFTTrainer on our `input_ids` and `labels`."""
    from trl import SFTTrainer

    return build(SFTTrainer, parts, lambda row: {"input_ids": row["input_ids"], "labels": row["labels"]})


def dpo_arguments(objective: DPO, options: dict[str, Any]) -> TrainingArguments:
    """DPOConfig with the objective's loss."""
    from trl import DPOConfig

    own = {"beta": objective.beta, "loss_type": [objective.variant], "label_smoothing": objective.label_smoothing}
    before = {"precompute_ref_log_probs": objective.precompute_ref_log_probs}
    return trl_arguments(DPOConfig, options, **own, **before)


def dpo_trainer(objective: DPO, parts: Parts) -> Trainer:
    """TRL's DPOTrainer on our ids; the reference as ours: adapter off, or computed once before training."""
    from trl import DPOTrainer

    return build(prepared(DPOTrainer), parts, pair_ids)


def orpo_arguments(objective: ORPO, options: dict[str, Any]) -> TrainingArguments:
    """ORPOConfig; TRL's supervised term always covers prompt and answer."""
    if objective.learn != "prompt+answer":
        raise RecipeError(
            f"ORPO.learn={objective.learn!r}: TRL always learns prompt and answer; "
            "take objective.learn=prompt+answer, or engine=smolrecipes"
        )
    return trl_arguments(_orpo("ORPOConfig"), {**options, "remove_unused_columns": False}, beta=objective.beta)


def orpo_trainer(objective: ORPO, parts: Parts) -> Trainer:
    """TRL's ORPOTrainer on our ids."""
    trainer = _orpo("ORPOTrainer")
    # its public hook for turning a row into ids; a plain function, so that hashing it does not hash the model
    ours = type(trainer.__name__, (trainer,), {"tokenize_row": staticmethod(orpo_ids)})
    return build(ours, parts, lambda row: {name: row[name] for name in ("prompt", "chosen", "rejected")})


def build(trainer: type[Any], parts: Parts, convert: Callable[[Row], Row], **more: Any) -> Trainer:
    """TRL's `trainer` on the prepared examples, each turned into TRL's columns by `convert`."""
    from transformers import PrinterCallback

    arguments = whole_batches(parts)
    adapted = hasattr(parts.model, "disable_adapter")
    if hasattr(arguments, "max_length"):
        arguments.max_length = parts.max_length  # the examples are cut already, so that TRL has nothing to cut
    if hasattr(arguments, "precompute_ref_log_probs"):
        arguments.precompute_ref_log_probs |= not adapted
    built = trainer(
        model=parts.model,
        args=arguments,
        train_dataset=columns(parts.train, convert),
        eval_dataset=None if parts.validation is None else columns(parts.validation, convert),
        processing_class=parts.tokenizer,
        callbacks=list(parts.callbacks),
        **more,
    )
    built.remove_callback(PrinterCallback)
    if adapted and "ref" in parts.model.peft_config:
        # TRL copies the adapter as the reference; without the copy it switches the adapter off, as we do, and saves one
        parts.model.delete_adapter("ref")
    if adapted:
        _steady_reference(parts.model)
    result: Trainer = built
    return result


def _steady_reference(model: Any) -> None:
    """Lets a model draw no dropout while its adapter is off: then it is the reference."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapters = [part for part in model.modules() if isinstance(part, BaseTunerLayer)]
    training: list[bool] = []

    def before(*given: Any) -> None:
        training.append(model.training)
        if all(part.disable_adapters for part in adapters):
            model.eval()

    def after(*given: Any) -> None:
        if training.pop() and not model.training:
            model.train()

    model.register_forward_pre_hook(before)
    model.register_forward_hook(after)


def whole_batches(parts: Parts) -> Any:
    """The arguments, with a micro-batch and an accumulation whose product is the recipe's batch exactly.

    TRL's micro-batches are all of one size: the largest that fits and is no larger than it was.
    """
    arguments: Any = parts.arguments
    share, rest = divmod(parts.batch, arguments.world_size)
    if rest:
        raise RecipeError(
            f"training.global_batch_size: TRL's trainers give each process as many rows, and {parts.batch} is no "
            f"multiple of {arguments.world_size} processes"
        )
    most = arguments.per_device_train_batch_size
    micro = max(size for size in range(1, share + 1) if size <= most and share % size == 0)
    arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps = micro, share // micro
    return arguments


def columns(examples: Dataset, convert: Callable[[Row], Row]) -> Dataset:
    """The examples with the columns that `convert` makes, and no others."""
    return examples.map(convert, load_from_cache_file=False).select_columns(list(convert(examples[0])))


def prepared(trainer: type[Any]) -> type[Any]:
    """TRL's `trainer`, which takes rows of ids as they are instead of tokenising text."""
    return type(trainer.__name__, (trainer,), {"_prepare_dataset": lambda self, dataset, *rest: dataset})


def pair_ids(row: Row) -> Row:
    """A prepared pair in the columns of TRL's DPOTrainer."""
    return {"prompt_ids": row["prompt"], "chosen_ids": row["chosen"], "rejected_ids": row["rejected"]}


def orpo_ids(row: Row) -> Row:
    """A prepared pair in the columns of TRL's ORPOTrainer."""
    made: Row = {"prompt_input_ids": row["prompt"], "prompt_attention_mask": [1] * len(row["prompt"])}
    for side in ("chosen", "rejected"):
        ids = row["prompt"] + row[side]
        made[f"{side}_input_ids"] = ids
        made[f"{side}_attention_mask"] = [1] * len(ids)
        made[f"{side}_labels"] = [-100] * len(row["prompt"]) + row[side]
    return made


def _orpo(name: str) -> Any:
    """ORPO lives among TRL's experimental trainers, which warn on import."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are importing from 'trl.experimental'")
        import trl.experimental.orpo as orpo
    return getattr(orpo, name)
