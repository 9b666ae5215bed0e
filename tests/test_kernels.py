"""What a run on a GPU says of its kernels."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig

from smolrecipes import CLM, DPO, ORPO, SFT, attention
from smolrecipes.kernels import kernels
from smolrecipes.objectives import losses
from smolrecipes.trainer import RecipeTrainer


@pytest.mark.parametrize("installed", [True, False])
def test_a_run_says_what_computes_it(monkeypatch, installed):
    monkeypatch.setattr(losses, "_liger_is_installed", lambda: installed)
    monkeypatch.setattr(attention, "_flash_is_installed", lambda: installed)
    monkeypatch.setattr(attention, "_varlen_is_there", lambda: False)

    def said(objective, device="cuda", packed=True, half=True):
        trainer = object.__new__(RecipeTrainer)
        trainer.args = SimpleNamespace(device=torch.device(device), bf16=half, fp16=False)
        config = LlamaConfig(hidden_size=64, num_attention_heads=2, attn_implementation="sdpa")
        head = torch.nn.Linear(2, 3, bias=False)
        model = SimpleNamespace(config=config, dtype=torch.float32, get_output_embeddings=lambda: head)
        trainer.parts = SimpleNamespace(model=model, layout=SimpleNamespace(packed=packed))
        trainer.objective = objective
        return kernels(trainer)

    liger, flash = ("Liger", "flash-attn") if installed else ("chunked", "FlexAttention")
    for objective in (CLM(), SFT()):
        assert said(objective) == f" (attention: {flash}, vocabulary: {liger})"
    for objective in (DPO(), ORPO()):
        assert said(objective) == f" (attention: {flash}, vocabulary: chunked)"
    assert said(CLM(), half=False) == f" (attention: FlexAttention, vocabulary: {liger})"
    assert said(CLM(), packed=False) == f" (attention: sdpa, vocabulary: {liger})"
    assert said(CLM(), device="cpu") == ""
