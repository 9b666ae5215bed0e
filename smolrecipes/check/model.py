"""What is wrong with a model, beside its tokenizer and its trainer; works on any transformers model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smolrecipes.check.finding import Finding

SPARE = 1_024
"""Embeddings beyond the tokenizer's that are still usual: tables are rounded up."""


def model(made: Any, tokenizer: Any, longest: int = 0) -> Iterator[Finding]:
    """longest: of the sequences that it will read, where that is known."""
    yield from _vocabulary(made, tokenizer)
    yield from _positions(made, longest)
    if not any(weight.requires_grad for weight in made.parameters()):
        yield Finding("model-frozen", f"none of the {sum(1 for _ in made.parameters()):,} weights requires a gradient")
    yield from _adapter(made, tokenizer)


def _vocabulary(made: Any, tokenizer: Any) -> Iterator[Finding]:
    table = made.get_input_embeddings()
    if tokenizer is None or not hasattr(table, "weight"):
        return
    rows, tokens = table.weight.shape[0], len(tokenizer)
    if rows < tokens:
        yield Finding("model-vocabulary", f"the tokenizer has {tokens:,} tokens, the model {rows:,} embeddings")
    if rows > 1.2 * tokens + SPARE:
        yield Finding("model-other-tokenizer", f"the model has {rows:,} embeddings, the tokenizer {tokens:,} tokens")
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield Finding("model-pad", f"{tokenizer.pad_token} pads and ends texts")


def _positions(made: Any, longest: int) -> Iterator[Finding]:
    from smolrecipes.architectures.sizes import readable

    limit = readable(made.config)
    if limit and longest > limit:
        yield Finding("model-positions", f"sequences of {longest:,} tokens, and the model reads {limit:,} at most")


def _adapter(made: Any, tokenizer: Any) -> Iterator[Finding]:
    """A PEFT adapter: targets that match nothing, and new tokens that it does not train."""
    for config in getattr(made, "peft_config", {}).values():
        asked = config.target_modules
        names = [name for name, part in made.named_modules() if hasattr(part, "lora_A") or hasattr(part, "base_layer")]
        idle = [
            one for one in (asked if isinstance(asked, (set, list, tuple)) else ())
            if not any(name == one or name.endswith(f".{one}") for name in names)
        ]  # fmt: skip
        if idle:
            yield Finding("model-targets", f"no layer is called {' or '.join(sorted(idle))}")
        yield from _new_tokens(made, tokenizer)


def _new_tokens(made: Any, tokenizer: Any) -> Iterator[Finding]:
    """Tokens added to a tokenizer that was saved with fewer, while the embeddings are frozen."""
    if tokenizer is None:
        return
    before = getattr(tokenizer, "vocab_size", len(tokenizer))
    new = sorted(i for i in getattr(tokenizer, "added_tokens_decoder", {}) if i >= before)
    named = made.get_base_model().__dict__.get("new_token_ids")
    new = new if named is None else list(named)
    table = made.get_input_embeddings()
    learns = any(weight.requires_grad for weight in table.parameters()) or type(table).__name__ != "Embedding"
    if new and not learns:
        names = ", ".join(tokenizer.convert_ids_to_tokens(new[:4]))
        what = f"{len(new)} new tokens ({names}), and the adapter freezes the embeddings"
        yield Finding("model-new-tokens", what if named else f"{what}; harmless where the pretrained model knows them",
                      serious=bool(named))  # fmt: skip


def disk(trainer: Any) -> Iterator[Finding]:
    """Whether the checkpoints that are kept, one more, and the model find room."""
    from smolrecipes.checkpoints import needed

    folder = Path(trainer.args.output_dir).absolute()
    while not folder.exists():
        folder = folder.parent
    kept = (trainer.args.save_total_limit or 1) + 2
    wanted, free = kept * needed(trainer), shutil.disk_usage(folder).free
    if free < wanted:
        what = (
            f"{kept} copies of the weights and the optimizer take {wanted / 1e9:,.2f} GB, {free / 1e9:,.2f} GB are free"
        )
        yield Finding("disk-space", what, str(folder))


def precision(trainer: Any) -> Iterator[Finding]:
    """bfloat16 where it is emulated."""
    import torch

    fast = (
        getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)()
        or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    )
    if trainer.args.device.type == "cpu" and trainer.args.bf16 and not fast:
        yield Finding("precision-slow", "training.precision=bfloat16 on a CPU that has no instructions for it")
