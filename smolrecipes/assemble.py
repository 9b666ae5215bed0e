"""Recipe -> Trainer, the straight line: arguments, tokenizer, model, adapter, data, callbacks, trainer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture, Callback, Data, Objective, Parts, Tokenizer

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

    from smolrecipes.prepare import Prepared
    from smolrecipes.recipe import Recipe


@dataclass(frozen=True)
class Assembly:
    """A trainer that is ready, and what went into it."""

    trainer: Trainer
    parts: Parts
    train: Prepared
    sentences: tuple[str, ...]
    """What was recognised, converted and lost on the way, one sentence each."""


def assemble(recipe: Recipe, folder: Path, cache: Path) -> Assembly:
    """Builds everything of a recipe whose bases are trained and whose names are resolved; looks nothing up."""
    import torch
    from transformers import set_seed

    from smolrecipes.prepare import precomputed, prepare

    training, objective = recipe.training, recipe.objective
    arguments = accepted(objective, options(recipe, folder))  # first: arms DeepSpeed ZeRO-3 before any weight exists
    set_seed(recipe.seed)
    rows, held_out, sentences = load_rows(recipe)
    tokenizer = build_tokenizer(recipe, rows)
    assert isinstance(recipe.model, Architecture)
    if recipe.model.family not in objective.families:
        raise RecipeError(
            f"model: {objective.name} fits {' and '.join(objective.families)} models; "
            f"{type(recipe.model).__name__} is a {recipe.model.family}"
        )
    model: Any = recipe.model.build(tokenizer, objective.head, 1)
    stop_at_turn_end(model, tokenizer)
    if recipe.adapter:
        model = recipe.adapter.apply(model, tokenizer)
    train = prepare(rows, objective, tokenizer, training.max_length, cache)
    validation = prepare(held_out, objective, tokenizer, training.max_length, cache) if held_out is not None else None
    model.to(arguments.device)
    base = json.dumps(recipe.model.identity(), sort_keys=True)
    complete = partial(
        precomputed, objective=objective, model=model, pad_id=tokenizer.pad_token_id or 0, base=base, cache=cache
    )
    parts = Parts(
        model=model,
        arguments=fit(arguments, recipe, train),
        tokenizer=tokenizer,
        train_rows=rows,
        validation_rows=held_out,
        train=complete(train.examples),
        validation=complete(validation.examples) if validation else None,
        callbacks=callbacks(recipe, folder),
        batch=training.global_batch_size,
        max_length=training.max_length,
        seed=recipe.seed,
    )
    torch.manual_seed(recipe.seed)
    return Assembly(objective.trainer(parts), parts, train, (*sentences, *filter(None, [train.sentence])))


def options(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What the recipe decides of TrainingArguments; `training.hf` may add to it, not contradict it."""
    from smolrecipes.launch import device_options, precision_options

    training = recipe.training
    decided = {
        "output_dir": str(folder / "checkpoints"),
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": {"constant": "constant_with_warmup", "wsd": "warmup_stable_decay"}.get(
            training.schedule, training.schedule
        ),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "activation_checkpointing": training.gradient_checkpointing,
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
        **device_options(training.device),
        **precision_options(training.precision),
    }
    return {**decided, **checked_hf(training.hf, decided)}


def accepted(objective: Objective, decided: dict[str, Any]) -> TrainingArguments:
    """The training arguments, or RecipeError with why transformers refuses a value or a combination."""
    try:
        return objective.arguments(decided)
    except (TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise RecipeError(f"training: TrainingArguments refuses these options: {why[:300]}") from error


FITTED = ("max_steps", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "warmup_steps")


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
        if name in decided or name in FITTED:
            raise RecipeError(
                f"training.hf: the recipe itself decides '{name}'; set the option of training that means it"
            )
        try:
            TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"].replace("Input should be", "should be")
            raise RecipeError(f"training.hf.{name}: {why}, not {value!r}") from None
    return given


def load_rows(recipe: Recipe) -> tuple[Dataset, Dataset | None, list[str]]:
    """Training rows and held-out rows as the objective reads them, with the sentences that say what was done."""
    from smolrecipes.data.rows import convert
    from smolrecipes.data.split import split

    objective = recipe.objective
    sentences: list[str] = []

    def read(data: Any, where: str) -> Dataset:
        assert isinstance(data, Data)
        loaded = data.load()
        rows, sentence = convert(loaded, objective.rows, type(objective).__name__)
        sentences.extend(f"{where}: {text}" for text in (loaded.info.description, sentence) if text)
        return rows

    rows = read(recipe.data, "data")
    if isinstance(recipe.validation, (Data, str)):
        return rows, read(recipe.validation, "validation"), sentences
    if not recipe.validation:
        return rows, None, sentences
    rows, held_out = split(rows, recipe.validation, recipe.seed)
    return rows, held_out, sentences


def build_tokenizer(recipe: Recipe, rows: Dataset) -> PreTrainedTokenizerBase:
    """The recipe's tokenizer, or the one that comes with the model."""
    assert isinstance(recipe.model, Architecture)
    chosen = recipe.tokenizer or recipe.model.tokenizer()
    if chosen is None:
        raise RecipeError(
            f"tokenizer: {type(recipe.model).__name__} is built from scratch and brings none; "
            "add one, as in tokenizer=ByteBPE()"
        )
    assert isinstance(chosen, Tokenizer)
    return chosen.build(rows)


def stop_at_turn_end(model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Writes into the model's generation settings which tokens end an answer: eos, and the chat template's turn end."""
    from smolrecipes.generate import turn_end

    if getattr(model, "generation_config", None) is not None:
        ends = {tokenizer.eos_token_id, turn_end(tokenizer)} - {None}
        model.generation_config.eos_token_id = sorted(ends)
        model.generation_config.pad_token_id = tokenizer.pad_token_id


def fit(arguments: TrainingArguments, recipe: Recipe, train: Prepared) -> TrainingArguments:
    """Micro-batch, accumulation and steps, derived from the global batch, the processes and the data."""
    from smolrecipes.batches import lengths

    training, count = recipe.training, len(train.examples)
    share = ceil(training.global_batch_size / arguments.world_size)
    most = training.micro_batch_size or max(1, 16_384 // training.max_length)
    accumulation = ceil(share / most)
    arguments.per_device_train_batch_size = arguments.per_device_eval_batch_size = ceil(share / accumulation)
    arguments.gradient_accumulation_steps = accumulation
    per_epoch = ceil(count / training.global_batch_size)
    steps = training.steps or ceil((training.epochs or 1) * per_epoch)
    if training.tokens:
        per_row = sum(lengths(train.examples)) / count
        steps = ceil(training.tokens / (per_row * training.global_batch_size))
    arguments.max_steps = steps
    arguments.warmup_steps = round(training.warmup * steps)
    arguments.save_steps = training.save_every or max(50, ceil(steps / 10))
    if training.schedule == "wsd":
        arguments.lr_scheduler_kwargs = {"num_decay_steps": ceil(steps / 5)}
    return arguments


def callbacks(recipe: Recipe, folder: Path) -> list[Callback]:
    """Progress, metrics and the guard, unless the recipe brings its own, and the recipe's."""
    from smolrecipes.callbacks.guard import Guard
    from smolrecipes.callbacks.metrics import Metrics
    from smolrecipes.callbacks.progress import Progress

    always: list[Callback] = [Progress(), Metrics(path=str(folder / "metrics.jsonl")), Guard()]
    own = tuple(type(callback) for callback in recipe.callbacks)
    return [*(callback for callback in always if not isinstance(callback, own)), *recipe.callbacks]
