"""The model of a recipe and its tokenizer: built, checked against the recipe, made ready to train."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture, Objective, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from datasets import Dataset
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase, TrainingArguments

    from smolrecipes.kinds import Layout
    from smolrecipes.recipe import Recipe

NO_CHECKPOINTING = (
    "training.gradient_checkpointing: transformers has none for {} models; leave it out, and lower "
    "training.micro_batch_size where memory is short"
)
FITS = {
    "decoder": ("Llama", "clm"),
    "encoder": ("BERT", "mlm"),
    "encoder-decoder": ("T5", "span_corruption"),
}
"""A model of each family, and an objective that every one of them can be pretrained with."""


def check_fit(recipe: Recipe) -> None:
    """That the recipe's parts go together, as far as they say so themselves; loads nothing."""
    assert isinstance(recipe.model, Architecture)
    family, fitting = recipe.model.family, recipe.objective.families
    if family and family not in fitting:
        raise RecipeError(
            f"model: {recipe.objective.name} fits {' and '.join(f'{one} models such as {FITS[one][0]}' for one in fitting)}, "
            f"not {family} models such as {type(recipe.model).__name__}; take one of those, or objective={FITS[family][1]}"
        )
    if recipe.training.gradient_checkpointing and "gradient checkpointing" in recipe.model.lacks:
        raise RecipeError(NO_CHECKPOINTING.format(recipe.model.name))
    if recipe.adapter:
        recipe.adapter.check()


def build_tokenizer(recipe: Recipe, rows: Dataset) -> PreTrainedTokenizerBase:
    """The recipe's tokenizer, or the one that comes with the model."""
    assert isinstance(recipe.model, Architecture)
    chosen = recipe.tokenizer or recipe.model.tokenizer() or recipe.objective.tokenizer()
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
    if recipe.adapter and "all linear layers" in recipe.model.lacks:
        return f"adapter: {type(recipe.model).__name__}'s attention has no linear layers; only the others are adapted"
    if recipe.adapter and recipe.model.tokenizer() is None:
        return "adapter: the model starts from random weights, and an adapter trains only a small part of them"
    return ""


def needless(recipe: Recipe, layout: Layout, rows: int) -> str:
    """What is asked of batches to no end, or nothing. rows: as many as there are to train on, or blocks."""
    training = recipe.training
    if training.group_by_length and layout.packed:
        return "training.group_by_length: rows lie side by side here, so there is no padding that it could save"
    if training.global_batch_size > rows and not training.global_batch_tokens:
        return f"training.global_batch_size={training.global_batch_size:,}: each step takes all there is, {rows:,}"
    return ""


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The model with the objective's head and the recipe's adapter."""
    from smolrecipes.architectures.scratch import Scratch

    assert isinstance(recipe.model, Architecture)
    objective, classes = recipe.objective, recipe.objective.classes
    if isinstance(recipe.model, Scratch):
        config = recipe.model.config(tokenizer)
        check_type(objective, config.model_type)
        check_reload(config, tokenizer)
    model = recipe.model.build(tokenizer, objective.head, len(classes) or 1)
    if classes:
        model.config.id2label = dict(enumerate(classes))
        model.config.label2id = {name: index for index, name in enumerate(classes)}
    check_type(objective, model.config.model_type)
    objective.complete(model, recipe.model, tokenizer)
    stop_at_turn_end(model, tokenizer)
    check_positions(model, recipe.training.max_length)
    check_checkpointing(model, recipe.training.gradient_checkpointing)
    if recipe.training.compile:
        compile_blocks(model)
    return recipe.adapter.apply(model, tokenizer) if recipe.adapter else model


def check_targets(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> None:
    """That the adapter finds what it adapts, where the model's modules are known before it is built."""
    assert isinstance(recipe.model, Architecture)
    if recipe.adapter:
        outline = recipe.model.outline(tokenizer, recipe.objective.head, len(recipe.objective.classes) or 1)
        if outline is not None:
            recipe.adapter.check_targets(outline)


def check_type(objective: Objective, model_type: str) -> None:
    """That the objective fits the model's type, where it does not fit all of a family."""
    if objective.types and model_type not in objective.types:
        fits = " and ".join(objective.types)
        raise RecipeError(f"model: {objective.name} fits {fits} models, not those of type {model_type}")


def check_reload(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """That the tokenizer is loaded as it was saved: beside some model types transformers takes their own splitting of text."""
    import json
    from tempfile import TemporaryDirectory

    from transformers import AutoTokenizer

    if not tokenizer.is_fast:
        return
    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        now, then = (
            json.loads(one.backend_tokenizer.to_str()) for one in (tokenizer, AutoTokenizer.from_pretrained(folder))
        )
    if any(now[part] != then[part] for part in ("normalizer", "pre_tokenizer")):
        raise RecipeError(
            f"model: beside a {config.model_type} transformers loads no tokenizer but that type's own, which splits texts "
            "differently, so the saved model would read other tokens than it learned; take another type, such as qwen3"
        )


def choose_layout(
    recipe: Recipe, model: Any, tokenizer: PreTrainedTokenizerBase, arguments: TrainingArguments | None = None
) -> Layout:
    """How batches are laid out; where the architecture packs, and a teacher's as well, their attention is told to.

    arguments: what it will be trained with, where that is known. Of whole texts, and for encoders, a GPU without a kernel
    for sequences of any length computes padded ones sooner than each by itself.
    """
    from smolrecipes.architectures.heads import reads_both_ways
    from smolrecipes.architectures.sizes import first_position
    from smolrecipes.kernels import kernel
    from smolrecipes.kinds import Layout

    assert isinstance(recipe.model, Architecture)
    plain = getattr(model, "get_base_model", lambda: model)()
    read: dict[Any, Architecture] = {plain: recipe.model}
    if taught_by := plain.__dict__.get("teacher"):
        read[taught_by] = recipe.objective.teacher  # type: ignore[attr-defined]
    packed = recipe.training.packing and recipe.objective.packs
    packed &= all(architecture.packs(made) for made, architecture in read.items())
    if packed and arguments and arguments.device.type == "cuda":
        whole = recipe.objective.answers_for != "token" or reads_both_ways(plain.config)
        packed = not whole or kernel(plain, arguments) != "sdpa"
    start = getattr(plain.config, "decoder_start_token_id", None)
    layout = Layout(tokenizer.pad_token_id or 0, packed, first_position(plain.config), start or 0)
    return layout if not packed or _attend(read, recipe.objective, layout) else replace(layout, packed=False)


def _attend(models: Iterable[Any], objective: Objective, layout: Layout) -> bool:
    """Tells the models to compute sequences side by side; takes it back where a head reads more than a token of a text."""
    from smolrecipes import attention
    from smolrecipes.objectives.tasks import packs_texts

    before = {model: model.config._attn_implementation for model in models}
    for model in before:
        model.set_attn_implementation(attention.NAME)
    if objective.answers_for == "token" or all(packs_texts(each, layout, objective.answers_for) for each in before):
        return True
    for model, name in before.items():
        model.set_attn_implementation(name)
    return False


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
    from smolrecipes.architectures.sizes import readable

    limit = readable(model.config)
    if limit and max_length > limit:
        raise RecipeError(
            f"training.max_length={max_length:,}: the model reads {limit:,} tokens at most; cut rows there "
            f"(training.max_length={limit}), or build it for more (model.max_length={max_length})"
        )


def check_checkpointing(model: Any, asked: bool | str) -> None:
    """That what the backward pass should compute again, it can, also where only its weights tell what a model is."""
    if asked and not model.supports_gradient_checkpointing:
        raise RecipeError(NO_CHECKPOINTING.format(model.config.model_type))


def stop_at_turn_end(model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Writes into the model's generation settings which tokens end an answer: eos, and the chat template's turn end."""
    from smolrecipes.conversation.tokens import turn_end

    if getattr(model, "generation_config", None) is not None:
        ends = {tokenizer.eos_token_id, turn_end(tokenizer)} - {None}
        model.generation_config.eos_token_id = sorted(ends)
        model.generation_config.pad_token_id = tokenizer.pad_token_id
