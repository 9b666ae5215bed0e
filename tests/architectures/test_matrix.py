"""Architectures and their heads: built tiny, trained a step, saved, reloaded by transformers alone; a thin slice of all.

The whole matrix is `tests/full/test_architectures.py`, which takes these checks from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SIZES, TOKENIZER, batch, outputs
from torch import Tensor

from smolrecipes import ALBERT, BERT, ELECTRA, LUKE, T5, Decoder, LoRA, RoBERTa, Scratch, XLNet
from smolrecipes.architectures.heads import auto_class


def gradients(built: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
    built.train().zero_grad()
    built(**given).loss.backward()
    return {name: weight.grad.clone() for name, weight in built.named_parameters() if weight.grad is not None}


def check_works(model: Scratch, head: str, folder: Path) -> None:
    """Finite loss and gradients; what is saved reloads by transformers alone to the same numbers."""
    torch.manual_seed(0)
    built: Any = model.build(TOKENIZER, head, 3)
    given = batch(built, head)
    before = outputs(built, given)
    assert all(bool(value.isfinite().all()) for value in before)
    assert before[0].dim() == 0, "it computes no loss"
    found = gradients(built, given)
    assert all(bool(slope.isfinite().all()) for slope in found.values())
    assert sum(bool(slope.any()) for slope in found.values()) > len(found) / 2
    built.save_pretrained(folder)
    again, report = auto_class(head).from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and type(again) is type(built)
    again.set_attn_implementation(model.computed_by)
    assert all(torch.equal(again.state_dict()[name], weight) for name, weight in built.state_dict().items())
    # a product with a single column rounds by where its operands lie in memory
    near = 1e-6 if head in ("regression", "multiple-choice") else 0
    for was, now in zip(before, outputs(again, given)):
        torch.testing.assert_close(now, was, rtol=0, atol=near)


def check_checkpointing(model: Scratch) -> None:
    """The same gradients when the backward pass computes everything again, or declared missing."""
    torch.manual_seed(0)
    built: Any = model.build(TOKENIZER)
    given = batch(built, model.head)
    lacks = "gradient checkpointing" in model.lacks
    assert built.supports_gradient_checkpointing is not lacks
    if lacks:
        return
    plain = gradients(built, given)
    built.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    again = gradients(built, given)
    assert plain.keys() == again.keys()
    for name, slope in plain.items():
        torch.testing.assert_close(again[name], slope, rtol=1e-5, atol=1e-7, msg=name)


def check_lora(model: Scratch) -> None:
    """A LoRA on all linear layers learns, in the attention too or declared not to."""
    torch.manual_seed(0)
    built: Any = model.build(TOKENIZER)
    adapted = LoRA(r=2).apply(built, TOKENIZER)
    found = gradients(adapted, batch(built, model.head))
    assert found and all("lora_" in name for name in found)
    learned = {name.split(".lora_")[0] for name, slope in found.items() if slope.any()}
    assert len(learned) >= model.layers
    ends = ("q_proj", "k_proj", "v_proj", "o_proj")
    attends = any("att" in name.lower() or "qkv" in name or name.endswith(ends) for name in learned)
    assert attends is ("all linear layers" not in model.lacks), sorted(learned)


def check_declared(model: Scratch) -> None:
    """The attention that it lacks is what transformers lacks."""
    built: Any = model.build(TOKENIZER)
    assert built._supports_sdpa is ("sdpa" not in model.lacks and model.computed_by == "sdpa")


THIN = [(BERT(**SIZES), "pretraining"), (LUKE(entities=20, **SIZES), "entities"), (T5(**SIZES), "seq2seq"),
        (XLNet(**SIZES), "permutation"), (ELECTRA(**SIZES), "discriminator"), (Decoder(positions="rotary", **SIZES), "causal")]  # fmt: skip


@pytest.mark.parametrize(("model", "head"), THIN, ids=str)
def test_a_head_learns_and_reloads(model: Scratch, head: str, tmp_path: Path) -> None:
    check_works(model, head, tmp_path)


@pytest.mark.parametrize("model", [ALBERT(**SIZES), RoBERTa(**SIZES)], ids=str)
def test_what_it_lacks_is_declared(model: Scratch) -> None:
    check_checkpointing(model)
    check_lora(model)
    check_declared(model)
