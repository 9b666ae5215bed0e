"""LoRA: what it trains, and that merging changes no logit."""

from __future__ import annotations

import json

import pytest
import torch
from tiny import ALL, TOKENIZER, heads
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from smolrecipes.adapters.lora import LoRA, linear_layers
from smolrecipes.adapters.merge import merged
from smolrecipes.architectures.pretrained import Pretrained
from smolrecipes.errors import RecipeError
from smolrecipes.weights import count_weights

SIZES = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = torch.arange(2, 14)[None]


def llama(tied: bool = True, new: int = 0, **more):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=1, tie_word_embeddings=tied, **more))
    return with_new_tokens(model, new)


def qwen(tied: bool = True, new: int = 0):
    torch.manual_seed(0)
    config = Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=8, tie_word_embeddings=tied)
    return with_new_tokens(Qwen3ForCausalLM(config), new)


def gpt2(tied: bool = True, new: int = 0):
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32, tie_word_embeddings=tied)
    return with_new_tokens(GPT2LMHeadModel(config), new)


def with_new_tokens(model, new):
    if new:
        model.resize_token_embeddings(40 + new, mean_resizing=False)
        model.new_token_ids = range(40, 40 + new)
    return model.eval()


def shaken(adapted):
    """An adapter that does something: every trained weight moved away from where it starts."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn_like(weight)
    return adapted.eval()


def logits(model, text=TEXT):
    with torch.no_grad():
        return model(text).logits


@pytest.mark.parametrize("make", [llama, qwen, gpt2])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("new", [0, 3])
@pytest.mark.parametrize(
    "lora", [LoRA(r=4), LoRA(r=4, rslora=True), LoRA(r=4, dora=True)], ids=["lora", "rslora", "dora"]
)
def test_merged_equals_unmerged(make, tied, new, lora, tmp_path):
    text = torch.cat([TEXT, torch.arange(40, 40 + new)[None]], 1)
    plain = logits(make(tied, new), text)
    adapted = shaken(lora.apply(make(tied, new), None))
    before = logits(adapted, text)
    assert (before - plain).abs().max() > 0.01  # the adapter does something, else this test shows nothing
    adapted.save_pretrained(tmp_path / "adapter")
    model = merged(adapted)
    assert (logits(model, text) - before).abs().max() <= 1e-5
    assert type(model) is type(make())
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) is tied
    model.save_pretrained(tmp_path / "model")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert (logits(again.eval(), text) - before).abs().max() <= 1e-5
    from peft import PeftModel

    over = PeftModel.from_pretrained(make(tied, new), tmp_path / "adapter").eval()
    assert (logits(over, text) - before).abs().max() <= 1e-6


@pytest.mark.parametrize("tied", [True, False])
def test_only_the_new_rows_of_the_embeddings_move(tied):
    model = llama(tied, new=3)
    adapted = LoRA(r=4).apply(model, None)
    old = model.get_input_embeddings().weight.detach().clone()
    opt = torch.optim.SGD([w for w in adapted.parameters() if w.requires_grad], lr=1.0)
    text = torch.cat([TEXT, torch.arange(40, 43)[None], TEXT[:, :1]], 1)  # the last token is no input of any target
    adapted.train()(text, labels=text).loss.backward()
    opt.step()
    now = merged(adapted).get_input_embeddings().weight
    assert torch.equal(now[:40], old[:40])
    assert (now[40:] != old[40:]).any(1).all()


def test_the_adapter_is_small_on_disk(tmp_path):
    """Only the new tokens' rows are saved, not the tables they lie in."""
    from safetensors.torch import load_file

    for tied, tables in ((True, 1), (False, 2)):
        shaken(LoRA(r=4).apply(llama(tied, new=3), None)).save_pretrained(tmp_path)
        saved = load_file(tmp_path / "adapter_model.safetensors")
        rows = {name: tensor.shape for name, tensor in saved.items() if "lora_" not in name}
        assert len(rows) == tables and set(rows.values()) == {(3, 16)}


def test_all_linear_is_every_linear_layer_but_the_head():
    for model, names in (
        (llama(), {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        (llama(tied=False), {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        (gpt2(), {"c_attn", "c_proj", "c_fc"}),
    ):
        adapted = LoRA().apply(model, None)
        moved = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
        assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in moved} == names
        assert len(moved) == 2 * 2 * (7 if "q_proj" in names else 4)


def test_a_classifier_trains_its_head_too():
    model = LlamaForSequenceClassification(LlamaConfig(**SIZES, num_labels=3, pad_token_id=0))
    adapted = LoRA(r=4).apply(model, None)
    moved = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert any("score" in name for name in moved)
    assert adapted.peft_config["default"].task_type == "SEQ_CLS"
    assert not any("score" in name and "lora" in name for name in moved)


def test_targets_by_name():
    adapted = LoRA(targets=("q_proj", "mlp.down_proj")).apply(llama(), None)
    moved = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name, w in adapted.named_parameters() if w.requires_grad}
    assert moved == {"q_proj", "down_proj"}


def test_a_wrong_target_is_a_sentence():
    with pytest.raises(RecipeError, match=r"called 'q_prj'; did you mean 'q_proj'\? \(it has: down_proj, gate_proj"):
        LoRA(targets=("v_proj", "q_prj")).apply(llama(), None)
    with pytest.raises(RecipeError, match=r"called 'self_attn'"):
        LoRA(targets=("self_attn",)).apply(llama(), None)
    with pytest.raises(RecipeError, match=r"LoRA\.targets"):
        LoRA(targets=())
    with pytest.raises(RecipeError, match=r"LoRA\.r: should be greater than 0"):
        LoRA(r=0)


@pytest.mark.parametrize("model", ALL, ids=lambda model: type(model).__name__)
def test_an_outline_without_weights_has_the_layers_of_the_model(model):
    """So that a wrong target is found before anything is trained."""
    for head in heads(model):
        outline, built = model.outline(TOKENIZER, head, 2), model.build(TOKENIZER, head, 2)
        assert [*dict(linear_layers(outline))] == [*dict(linear_layers(built))]
        assert outline.get_input_embeddings().weight.is_meta


def test_an_outline_of_saved_weights_reads_none_of_them(tmp_path):
    llama().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    outline = Pretrained(str(tmp_path)).outline(TOKENIZER)
    assert [*dict(linear_layers(outline))] == [*dict(linear_layers(llama()))]
    with pytest.raises(
        RecipeError, match=r"no linear layer of LlamaForCausalLM is called 'all-lineer'; did you mean 'all-linear'"
    ):
        LoRA(targets=("all-lineer",)).check_targets(outline)


def test_rslora_and_alpha_reach_peft(tmp_path):
    LoRA(r=4, alpha=7, dropout=0.25, rslora=True).apply(llama(), None).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (saved["r"], saved["lora_alpha"], saved["lora_dropout"]) == (4, 7, 0.25)
    assert saved["use_rslora"] is True and saved["use_dora"] is False and saved["task_type"] == "CAUSAL_LM"


def test_share_counts_tied_weights_once():
    model = llama()
    total = sum(weight.numel() for weight in model.parameters())
    assert count_weights(model) == (total, total)
    trained, whole = count_weights(LoRA(r=2).apply(model, None))
    assert trained == 2 * 2 * (16 + 16 + 16 + 8 + 16 + 8 + 16 + 16 + 3 * (16 + 32)) and whole == total + trained
