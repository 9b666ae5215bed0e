"""What a saved checkpoint is of, and that it fills the model that is wanted: all but the head of a new task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

TASKS = ("sequence-classification", "regression", "token-classification", "question-answering", "multiple-choice")
"""Heads that may be new: what they do is learned in fine-tuning."""


def check_head(path: str, config: PretrainedConfig, head: str) -> None:
    """That the checkpoint is of a kind that can carry the head."""
    from transformers.models.auto import modeling_auto as auto

    from smolrecipes.architectures.heads import auto_class, offered, reads_both_ways

    auto_class(head)  # which knows the names
    saved = (config.architectures or ["no named class"])[0]
    if head != "causal":
        if head not in (has := offered(config.model_type, _family(config))):
            called = "classification head" if head == "sequence-classification" else f"head '{head}'"
            others = f" (it has: {', '.join(has)})" if has else ""
            raise RecipeError(
                f"{path} is of type {config.model_type} ({saved}), which has no {called} in transformers{others}"
            )
        return
    # BERT has a causal class too, so the class that was saved decides; a bare body is decided by its weights.
    causal = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    body = saved == auto.MODEL_MAPPING_NAMES.get(config.model_type) and not reads_both_ways(config)
    unnamed = not config.architectures and config.model_type in causal and not reads_both_ways(config)
    if not (saved in causal.values() and config.model_type in causal) and not body and not unnamed:
        raise RecipeError(
            f"{path} is of type {config.model_type} ({saved}), not a causal language model; this objective needs one that "
            "writes from left to right (Llama, Qwen, GPT-2, ...). An encoder fits classification objectives"
        )


def _family(config: PretrainedConfig) -> str:
    from smolrecipes.architectures.heads import reads_both_ways

    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    return "encoder" if reads_both_ways(config) else "decoder"


@contextmanager
def quiet() -> Iterator[None]:
    """transformers prints a table of what it found no place or no weights for; `check_weights` says it in a sentence."""
    import logging

    def other(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    log = logging.getLogger("transformers.modeling_utils")
    log.addFilter(other)
    try:
        yield
    finally:
        log.removeFilter(other)


def check_unread(path: str, model: PreTrainedModel, head: str, unread: list[str]) -> None:
    """Says which saved weights have no place in the model; those of the head that a task replaces are expected."""
    if head in TASKS:
        unread = [key for key in unread if key.startswith(f"{model.base_model_prefix}.")]
    if unread:
        more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
        name = type(model).__name__
        _warn(
            "%s holds weights that %s has no place for, which are left out: %s",
            path,
            name,
            ", ".join(unread[:3]) + more,
        )


def check_weights(path: str, model: PreTrainedModel, head: str, missing: list[str]) -> None:
    """That nothing but the head of a task starts at random."""
    if head in TASKS:
        # A body that was saved with another head may lack the pooler, which only this head reads.
        new = [key for key in missing if not key.startswith(f"{model.base_model_prefix}.") or ".pooler." in key]
        if new:
            _warn("%s: its classification head is new: %s", path, ", ".join(new))
        missing = [key for key in missing if key not in new]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise RecipeError(
            f"{path} lacks weights of {type(model).__name__}: {', '.join(missing[:3])}{more}; "
            "they would start at random. Save the whole model there, with its head"
        )


def widen(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Gives every token of the tokenizer a row. New rows begin as the mean of the old, so that no new token is likely
    or unlikely by chance; `model.new_token_ids` says which they are, for adapters that must train them."""
    import torch

    old = model.get_input_embeddings().weight.shape[0]
    new = max(len(tokenizer), old)
    model.new_token_ids = range(old, new)
    if new == old:
        return
    model.resize_token_embeddings(new, mean_resizing=False)
    output = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight, *([output.weight, getattr(output, "bias", None)] if output else [])]
    with torch.no_grad():
        for table in {id(table): table for table in tables if table is not None and table.shape[0] == new}.values():
            table[old:] = table[:old].float().mean(0).to(table.dtype)
    names = tokenizer.convert_ids_to_tokens(list(range(old, new)))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    _warn("%d new tokens (%s): their embeddings begin as the mean of the others", new - old, shown)


def _warn(sentence: str, *values: object) -> None:
    import logging

    logging.getLogger(__name__).warning(sentence, *values)
