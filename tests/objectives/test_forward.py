"""One forward for every causal model: label log-probabilities equal the model's own logits', loss and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from smolrecipes.kinds import Layout
from smolrecipes.objectives.forward import reference, token_logps
from smolrecipes.objectives.labels import IGNORE
from smolrecipes.objectives.layout import Sequence

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50, "pad_token_id": 0}
MODELS = {
    "llama": {"num_key_value_heads": 2, "intermediate_size": 48, "tie_word_embeddings": True},
    "gpt2": {"bos_token_id": 1, "eos_token_id": 1},
    "qwen3": {"num_key_value_heads": 2, "intermediate_size": 48, "head_dim": 8},
    "gpt_neox": {"intermediate_size": 48},
    "gemma2": {"num_key_value_heads": 2, "intermediate_size": 48, "head_dim": 8, "final_logit_softcapping": 2.0},
    "granite": {"num_key_value_heads": 2, "intermediate_size": 48, "logits_scaling": 4.0},
    "bloom": {"n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 16},
}


def sequences() -> list[Sequence]:
    torch.manual_seed(1)
    rows = [torch.randint(1, 50, (n,)).tolist() for n in (9, 5, 7)]
    labels = [row[:] for row in rows]
    labels[0][:4] = [IGNORE] * 4
    labels[2][:] = [IGNORE] * 7
    return [Sequence(row, label) for row, label in zip(rows, labels)]


def logits_at_labels(model: torch.nn.Module, data: dict[str, Any]) -> torch.Tensor:
    """The model's own log-probabilities of the labels, from all of its logits."""
    logits = model(input_ids=data["input_ids"], attention_mask=data["attention_mask"]).logits.flatten(0, 1)
    return logits[data["at"]].log_softmax(-1).gather(-1, data["labels"][:, None]).squeeze(-1)


@pytest.mark.parametrize("kind", MODELS)
def test_equals_the_models_own_logits(kind: str) -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**SIZES, **MODELS[kind]})
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():  # larger than the usual start, so that a soft cap bites
        torch.nn.init.normal_(parameter, std=0.3) if parameter.dim() > 1 else None
    data = Layout()(sequences())
    logps, rows = token_logps(model, data)
    logps.sum().backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    theirs = logits_at_labels(model, data)
    theirs.sum().backward()
    assert rows.tolist() == [0] * 5 + [1] * 4
    torch.testing.assert_close(logps, theirs, rtol=1e-5, atol=1e-5)
    assert set(ours) == {name for name, p in model.named_parameters() if p.grad is not None}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-4, atol=1e-4, msg=name)


def test_an_adapter_on_the_head_is_used() -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **{**SIZES, **MODELS["llama"], "tie_word_embeddings": False})
    model = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(target_modules=["lm_head"], r=4))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    data = Layout()(sequences())
    logps, _ = token_logps(model, data)
    torch.testing.assert_close(logps, logits_at_labels(model, data))


def test_the_reference_drops_nothing_out() -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **{**SIZES, **MODELS["llama"]}, attention_dropout=0.5)
    model = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(target_modules=["q_proj"], r=4))
    data = Layout()(sequences())
    model.train()
    model.base_model.model.lm_head.eval()
    before = [part.training for part in model.modules()]
    with reference(model) as frozen:
        first, second = (token_logps(frozen, data)[0] for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    assert [part.training for part in model.modules()] == before
    assert not torch.equal(token_logps(model, data)[0], first)
