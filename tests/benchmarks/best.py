"""TRL at its best settings, as its own documentation has them; what needs a GPU or a package is used where that is."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from cases import Case
from padded import loaded, options

from smolrecipes.objectives.trl import _orpo, columns, orpo_ids, pair_ids, prepared


def trainer(case: Case, folder: Path) -> Any:
    """TRL's trainer on the examples in the order in which the recipe takes them.

    A LoRA's frozen weights are held in bfloat16. SFT flattens each batch (`padding_free`, which packing by best fit implies), so that its steps hold the same rows.
    ORPO has nothing but Liger's kernels to choose.
    """
    from datasets import load_from_disk

    model, tokenizer = loaded(case, folder)
    model.to(case.device)
    if case.device == "cuda":
        for weight in model.parameters():  # frozen weights need no digits to spare, and need not be cast in each step
            weight.data = weight.data if weight.requires_grad else weight.data.to(torch.bfloat16)
    given = options(case, folder) | {"gradient_checkpointing": False, "use_liger_kernel": liger(case)}
    examples = load_from_disk(folder / "examples")
    make = {"sft": sft, "dpo": dpo, "orpo": orpo}[case.objective]
    return make(model, tokenizer, given | {"max_length": case.max_length}, examples)


def liger(case: Case) -> bool:
    """Whether Liger's kernels can be used."""
    return case.device == "cuda" and find_spec("liger_kernel") is not None


def sft(model: Any, tokenizer: Any, given: dict[str, Any], examples: Any) -> Any:
    """Without padding, which takes an attention that knows where sequences end."""
    from trl import SFTConfig, SFTTrainer

    if not given["use_cpu"]:
        kernel = "flash_attention_2" if find_spec("flash_attn") else "flex_attention"
        model.get_base_model().set_attn_implementation(kernel)
    given |= {"max_length": None, "padding_free": True}  # the examples are cut already
    rows = columns(examples, lambda row: {"input_ids": row["input_ids"], "labels": row["labels"]})
    return SFTTrainer(model, SFTConfig(**given), train_dataset=rows, processing_class=tokenizer)


def dpo(model: Any, tokenizer: Any, given: dict[str, Any], examples: Any) -> Any:
    """The reference's log-probabilities computed before training; TRL has no DPO without padding at present."""
    from trl import DPOConfig, DPOTrainer

    arguments = DPOConfig(**given, precompute_ref_log_probs=True)
    rows = columns(examples, pair_ids)
    return prepared(DPOTrainer)(model, args=arguments, train_dataset=rows, processing_class=tokenizer)


def orpo(model: Any, tokenizer: Any, given: dict[str, Any], examples: Any) -> Any:
    """Its loss needs the logits, which Liger's fused cross-entropy does not make."""
    given |= {"remove_unused_columns": False, "liger_kernel_config": {"fused_linear_cross_entropy": False}}
    ours = type("ORPOTrainer", (_orpo("ORPOTrainer"),), {"tokenize_row": staticmethod(orpo_ids)})
    rows = columns(examples, lambda row: {name: row[name] for name in ("prompt", "chosen", "rejected")})
    return ours(model, _orpo("ORPOConfig")(**given), train_dataset=rows, processing_class=tokenizer)
