"""What a run on a GPU says of its kernels."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutput

from smolrecipes import CLM, DPO, ORPO, SFT, attention
from smolrecipes.batches import Batches, Loader
from smolrecipes.examples import Examples
from smolrecipes.kernels import computed_by
from smolrecipes.kinds import Layout
from smolrecipes.objectives import liger as liger_kernel
from smolrecipes.trainer import RecipeTrainer


def trainer(objective, device="cuda", packed=True, half=True, lengths=(5, 7), capped=False):
    """One that is about to train a model of two heads of 32."""
    made = object.__new__(RecipeTrainer)
    made.args = SimpleNamespace(device=torch.device(device), bf16=half, fp16=False)
    sizes = {"vocab_size": 9, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
    model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, attn_implementation="sdpa"))
    if capped:
        model.register_forward_hook(lambda module, given, output: CausalLMOutput(logits=output.logits.tanh()))
    made.parts = SimpleNamespace(model=model, layout=Layout(packed=packed))
    made.objective, made.compute_loss_context_manager = objective, nullcontext
    examples = Dataset.from_list([{"input_ids": list(range(1, n)), "origin": f"{n}"} for n in lengths])
    batches, layout = Batches(lengths, batch=len(lengths)), made.parts.layout
    made.get_train_dataloader = lambda: Loader(Examples(examples), batches, lambda rows: CLM().collate(rows, layout))
    return made


@pytest.mark.parametrize("installed", [True, False])
def test_a_run_says_what_computes_it(monkeypatch, installed):
    monkeypatch.setattr(liger_kernel, "liger_is_known", lambda: installed)
    monkeypatch.setattr(attention, "_flash_is_installed", lambda: installed)
    monkeypatch.setattr(attention, "_varlen_is_there", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))

    def said(*given, **more):
        return computed_by(trainer(*given, **more))

    liger, flash = ("Liger", "flash-attn") if installed else ("chunked", "FlexAttention")
    for objective in (CLM(), SFT()):
        assert said(objective) == f" (attention: {flash}, vocabulary: {liger})"
    for objective in (DPO(), ORPO()):
        assert said(objective) == f" (attention: {flash}, vocabulary: chunked)"
    assert said(CLM(), half=False) == f" (attention: FlexAttention, vocabulary: {liger})"
    assert said(CLM(), packed=False) == f" (attention: SDPA, vocabulary: {liger})"
    assert said(CLM(), lengths=(7, 7)) == f" (attention: SDPA, vocabulary: {liger})"
    assert said(CLM(), capped=True) == f" (attention: {flash}, vocabulary: every logit)"
    assert said(CLM(), device="cpu") == ""
