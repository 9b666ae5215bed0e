"""Recipe -> Trainer, the straight line: arguments, tokenizer, model, adapter, data, callbacks, trainer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.component import Component
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Callback, Data, Parts

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import Trainer, TrainingArguments

    from smolrecipes.kinds import Layout
    from smolrecipes.prepare import Prepared
    from smolrecipes.recipe import Recipe


SOURCES = 8
"""Of a mixture that are told one by one."""


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
    from smolrecipes.arguments import fit, rows_per_batch
    from smolrecipes.build import build_model, build_tokenizer, choose_layout, doubtful, needless
    from smolrecipes.examples import lengths
    from smolrecipes.prepare import prepare
    from smolrecipes.tokenizers.report import lost

    training, arguments = recipe.training, _begun(recipe, folder)  # first: it arms DeepSpeed before any weight exists
    rows, held_out, sentences = load_rows(recipe)
    objective = recipe.objective.fitted(rows)
    recipe = recipe.replace(objective=objective)
    tokenizer = build_tokenizer(recipe, rows)
    model = build_model(recipe, tokenizer)

    def prepared(some: Dataset) -> Prepared:
        return prepare(some, objective, tokenizer, training.max_length, cache, training.threads)

    train, validation = prepared(rows), prepared(held_out) if held_out is not None else None
    layout = choose_layout(recipe, model, tokenizer, arguments)
    model.to(arguments.device)
    fit(arguments, recipe, train, layout.packed)

    def complete(some: Prepared) -> Dataset:
        return precompute(recipe, some.examples, model, layout, arguments, cache)

    parts = Parts(
        model=model,
        arguments=arguments,
        tokenizer=tokenizer,
        train_rows=rows,
        validation_rows=held_out,
        train=complete(train),
        validation=complete(validation) if validation else None,
        callbacks=callbacks(recipe, folder),
        batch=rows_per_batch(training, lengths(train.examples)),
        batch_tokens=training.global_batch_tokens,
        max_length=training.max_length,
        seed=recipe.seed,
        layout=layout,
        group_by_length=training.group_by_length,
    )
    said = (
        *sentences,
        lost(tokenizer, some_texts(rows)),
        train.sentence,
        mixed(recipe, train),
        doubtful(recipe),
        needless(recipe, layout, len(train.examples)),
    )
    return Assembly(_trainer(recipe, parts), parts, train, tuple(filter(None, said)))


def _begun(recipe: Recipe, folder: Path) -> TrainingArguments:
    """The training arguments, and a process that is as they and the recipe want it: its GPU, cores and seed."""
    from transformers import set_seed

    from smolrecipes.arguments import accepted, options
    from smolrecipes.launch import one_gpu, use_cores, use_tf32

    arguments = accepted(recipe.objective, options(recipe, folder))
    one_gpu(arguments)
    use_tf32(arguments)
    use_cores(recipe.training.threads)
    set_seed(recipe.seed)
    return arguments


def _trainer(recipe: Recipe, parts: Parts) -> Trainer:
    """The objective's trainer of these parts, with the recipe's optimizer."""
    import torch

    from smolrecipes import optimizers
    from smolrecipes.trainer import RecipeTrainer

    torch.manual_seed(recipe.seed)
    try:
        trainer = recipe.objective.trainer(parts)
        if "optim" in recipe.training.hf:
            trainer.get_optimizer_cls_and_kwargs(trainer.args, trainer.model)
    except ImportError as error:
        asked = {"optim", "use_liger_kernel"} & {*recipe.training.hf}
        if not asked:  # a fault of a plugin's, say, with its traceback
            raise
        raise RecipeError(f"training.hf.{min(asked)}: {' '.join(str(error).split())[:300]}") from None
    ours, staged = isinstance(trainer, RecipeTrainer), "stage" in parts.train.column_names
    if staged and not ours:
        raise RecipeError(
            f"data: Mix.order=stages: {type(trainer).__name__} orders the rows by itself; train a recipe for each stage, "
            "or shuffle them"
        )
    if parts.group_by_length and (staged or not ours):
        who = "a curriculum's stages order" if staged else f"{type(trainer).__name__} orders"
        raise RecipeError(f"training.group_by_length: {who} the rows; leave it out")
    optimizers.use(recipe.training.optimizer, trainer)
    return trainer


def _is_mixed(data: Component) -> bool:
    """Whether rows come from a mixture, perhaps after steps."""
    from smolrecipes.data.mix import Mix

    return isinstance(data, Mix) or any(_is_mixed(part) for _, part in data.children())


def precompute(recipe: Recipe, examples: Dataset, model: Any, layout: Layout, arguments: Any, cache: Path) -> Dataset:
    """What the objective computes once before training, in bfloat16 where the run is, else in float32."""
    import torch

    from smolrecipes.arguments import CPU_TOKENS, MICRO_TOKENS
    from smolrecipes.prepare import precomputed

    facts = [recipe.model, recipe.adapter, recipe.seed, arguments.bf16]
    base = json.dumps(facts, default=lambda part: part.identity())
    tokens = CPU_TOKENS if arguments.device.type == "cpu" else MICRO_TOKENS
    rows = max(1, tokens // recipe.training.max_length)
    with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
        return precomputed(examples, recipe.objective, model, layout, rows, base, cache)


def load_rows(recipe: Recipe) -> tuple[Dataset, Dataset | None, list[str]]:
    """Training rows and held-out rows as the objective reads them, with the sentences that say what was done."""
    from smolrecipes.data.files import together
    from smolrecipes.data.split import split, split_last, split_near, split_phrases

    sentences: list[str] = []
    sources = [data for data in (recipe.data, recipe.validation) if isinstance(data, Data)]
    with together(sources):
        rows = _read(recipe, recipe.data, "data", sentences)
        if isinstance(recipe.validation, (Data, str)):
            held_out = _read(recipe, recipe.validation, "validation", sentences)
            return rows, _in_no_stage(held_out), sentences
    if not recipe.validation:
        return rows, None, sentences
    if recipe.holdout == "last":
        train, held_out = split_last(rows, recipe.validation)
    else:
        drawn = {"random": split, "near": split_near, "phrases": split_phrases}[recipe.holdout]
        train, held_out = drawn(rows, recipe.validation, recipe.seed)
    return train, _in_no_stage(held_out), sentences


def _in_no_stage(held_out: Dataset) -> Dataset:
    """Held-out rows are asked all together, also those of a curriculum."""
    return held_out.remove_columns("stage") if "stage" in held_out.column_names else held_out


def mixed(recipe: Recipe, train: Prepared) -> str:
    """How many tokens come from each source of a mixture, the largest first."""
    from smolrecipes.examples import tokens_by_source

    known = {"input_ids", "chosen"} & {*train.made.column_names}  # elsewhere `arrange` makes them
    if not known or not isinstance(recipe.data, Component) or not _is_mixed(recipe.data):
        return ""
    found = tokens_by_source(train.made)
    told = [f"{name} {count:,} ({count / sum(found.values()):.1%})" for name, count in [*found.items()][:SOURCES]]
    more = [f"{len(found) - SOURCES:,} more"] if len(found) > SOURCES else []
    return f"tokens of a pass: {', '.join(told + more)}"


def _read(recipe: Recipe, data: Any, where: str, sentences: list[str]) -> Dataset:
    """A component's rows as the objective reads them; adds the sentences that say what was done."""
    from smolrecipes.data.rows import convert

    assert isinstance(data, Data)
    loaded = data.load()
    rows, sentence = convert(loaded, recipe.objective.rows, type(recipe.objective).__name__)
    sentences.extend(f"{where}: {text}" for text in (loaded.info.description, sentence) if text)
    return rows


def some_texts(rows: Dataset) -> list[str]:
    """Texts of a hundred rows at most, evenly spread."""
    from smolrecipes.data.rows import texts

    return [text for index in range(0, len(rows), max(1, -(-len(rows) // 100))) for text in texts(rows[index])]


def callbacks(recipe: Recipe, folder: Path) -> list[Callback]:
    """Throughput, progress, metrics, the guard and the watch, unless the recipe brings its own, and the recipe's."""
    from smolrecipes.callbacks.guard import Guard
    from smolrecipes.callbacks.metrics import Metrics
    from smolrecipes.callbacks.progress import Progress
    from smolrecipes.callbacks.throughput import Throughput
    from smolrecipes.callbacks.watch import Watch

    metrics = Metrics(path=str(folder / "metrics.jsonl"))
    always: list[Callback] = [Throughput(), Progress(), metrics, Guard(), Watch()]
    missing = [one for one in always if not any(isinstance(own, type(one)) for own in recipe.callbacks)]
    found = [*missing, *recipe.callbacks]
    return sorted(found, key=lambda one: not isinstance(one, Throughput))  # it adds to the logs that the others read
