"""Recipe -> Trainer, the straight line: arguments, tokenizer, model, adapter, data, callbacks, trainer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture, Callback, Data, Parts, Tokenizer

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, Trainer

    from smolrecipes.kinds import Layout
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

    from smolrecipes import optimizers
    from smolrecipes.arguments import MICRO_TOKENS, accepted, fit, options, rows_per_batch
    from smolrecipes.batches import lengths
    from smolrecipes.launch import one_gpu, use_cores
    from smolrecipes.prepare import precomputed, prepare

    training, objective = recipe.training, recipe.objective
    arguments = accepted(objective, options(recipe, folder))  # first: it arms DeepSpeed before any weight exists
    one_gpu(arguments)
    use_cores(training.threads)
    set_seed(recipe.seed)
    rows, held_out, sentences = load_rows(recipe)
    tokenizer = build_tokenizer(recipe, rows)
    model = build_model(recipe, tokenizer)
    check_positions(model, training.max_length)

    def prepared(some: Dataset) -> Prepared:
        return prepare(some, objective, tokenizer, training.max_length, cache, training.threads)

    train, validation = prepared(rows), prepared(held_out) if held_out is not None else None
    model.to(arguments.device)
    if training.compile:
        compile_blocks(model)
    layout = lay_out(recipe, model, tokenizer)

    def complete(examples: Dataset) -> Dataset:
        base = json.dumps([recipe.model, recipe.seed, arguments.bf16], default=lambda part: part.identity())
        rows = max(1, MICRO_TOKENS // training.max_length)
        with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
            return precomputed(examples, objective, model, layout, rows, base, cache)

    fit(arguments, recipe, train, layout.packed)
    parts = Parts(
        model=model,
        arguments=arguments,
        tokenizer=tokenizer,
        train_rows=rows,
        validation_rows=held_out,
        train=complete(train.examples),
        validation=complete(validation.examples) if validation else None,
        callbacks=callbacks(recipe, folder),
        batch=rows_per_batch(training, lengths(train.examples)),
        batch_tokens=training.global_batch_tokens,
        max_length=training.max_length,
        seed=recipe.seed,
        layout=layout,
    )
    torch.manual_seed(recipe.seed)
    said = (*sentences, train.sentence, doubtful(recipe))
    trainer = objective.trainer(parts)
    optimizers.use(training.optimizer, trainer)
    return Assembly(trainer, parts, train, tuple(filter(None, said)))


def load_rows(recipe: Recipe) -> tuple[Dataset, Dataset | None, list[str]]:
    """Training rows and held-out rows as the objective reads them, with the sentences that say what was done."""
    from smolrecipes.data.rows import convert
    from smolrecipes.data.split import split, split_last

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
    last = recipe.holdout == "last"
    rows, held_out = split_last(rows, recipe.validation) if last else split(rows, recipe.validation, recipe.seed)
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


def doubtful(recipe: Recipe) -> str:
    """What is allowed and hardly meant, or nothing."""
    assert isinstance(recipe.model, Architecture)
    if recipe.adapter and recipe.model.tokenizer() is None:
        return "adapter: the model starts from random weights, and an adapter trains only a small part of them"
    return ""


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The model with the objective's head and the recipe's adapter."""
    assert isinstance(recipe.model, Architecture)
    objective = recipe.objective
    if recipe.model.family not in objective.families:
        raise RecipeError(
            f"model: {objective.name} fits {' and '.join(objective.families)} models; "
            f"{type(recipe.model).__name__} is a {recipe.model.family}"
        )
    model = recipe.model.build(tokenizer, objective.head, 1)
    stop_at_turn_end(model, tokenizer)
    return recipe.adapter.apply(model, tokenizer) if recipe.adapter else model


def lay_out(recipe: Recipe, model: Any, tokenizer: PreTrainedTokenizerBase) -> Layout:
    """How batches are laid out; where the architecture packs, the model's attention is told to."""
    from smolrecipes import attention
    from smolrecipes.kinds import Layout

    assert isinstance(recipe.model, Architecture)
    plain = getattr(model, "get_base_model", lambda: model)()
    packed = recipe.training.packing and recipe.model.packs(plain)
    if packed:
        plain.set_attn_implementation(attention.NAME)
    return Layout(tokenizer.pad_token_id or 0, packed)


def compile_blocks(model: Any) -> None:
    """Compiles each block by itself: one compilation serves all of them, and any number of tokens."""
    blocks = [part for part in model.modules() if type(part).__name__ in (model._no_split_modules or ())]
    if not blocks:
        raise RecipeError(
            f"training.compile: transformers does not name the blocks of {type(model).__name__}; leave it out"
        )
    for block in blocks:
        block.compile(dynamic=True)


def check_positions(model: Any, max_length: int) -> None:
    """That rows fit the positions that the model declares: a table of them ends there, rotary ones are untrained beyond."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit and max_length > limit:
        raise RecipeError(
            f"training.max_length={max_length:,}: the model reads {limit:,} tokens at most; cut rows there "
            f"(training.max_length={limit}), or build it for more (model.max_length={max_length})"
        )


def stop_at_turn_end(model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Writes into the model's generation settings which tokens end an answer: eos, and the chat template's turn end."""
    from smolrecipes.generate import turn_end

    if getattr(model, "generation_config", None) is not None:
        ends = {tokenizer.eos_token_id, turn_end(tokenizer)} - {None}
        model.generation_config.eos_token_id = sorted(ends)
        model.generation_config.pad_token_id = tokenizer.pad_token_id


def callbacks(recipe: Recipe, folder: Path) -> list[Callback]:
    """Throughput, progress, metrics and the guard, unless the recipe brings its own, and the recipe's."""
    from smolrecipes.callbacks.guard import Guard
    from smolrecipes.callbacks.metrics import Metrics
    from smolrecipes.callbacks.progress import Progress
    from smolrecipes.callbacks.throughput import Throughput

    always: list[Callback] = [Throughput(), Progress(), Metrics(path=str(folder / "metrics.jsonl")), Guard()]
    missing = [one for one in always if not any(isinstance(own, type(one)) for own in recipe.callbacks)]
    found = [*missing, *recipe.callbacks]
    return sorted(found, key=lambda one: not isinstance(one, Throughput))  # it adds to the logs that the others read
