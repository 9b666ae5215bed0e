"""QLoRA: it trains as a LoRA on the dequantised weights does, and what is saved is a plain model."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

pytest.importorskip("bitsandbytes")

from smolrecipes import CLM, Llama, LoRA, QLoRA, Recipe, RecipeError, Toy, Trained, Training, run
from smolrecipes.adapters.four_bit import Linear4bit, in_float
from smolrecipes.adapters.merge import merged
from smolrecipes.callbacks.flops import Arithmetic
from smolrecipes.objectives.forward import reference
from smolrecipes.selective import selective
from smolrecipes.weights import count_weights

SIZES = {"vocab_size": 40, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = torch.arange(2, 34).reshape(2, 16)
KINDS = [QLoRA(r=4), QLoRA(r=4, quantization="fp4"), QLoRA(r=4, double_quantization=False), QLoRA(r=4, dora=True)]
NAMES = ["nf4", "fp4", "single", "dora"]


def llama(**more):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=1, attention_bias=True, **more))
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(weight)  # else they are 0, and losing them would not show
    return model


def dequantised():
    """The model with its linear layers rounded to what 4 bits hold, and kept as plain ones."""
    model = llama()
    for name, layer in list(model.model.named_modules()):
        if isinstance(layer, nn.Linear):
            model.model.set_submodule(name, in_float(Linear4bit(layer, "nf4", True)))
    return model


def shaken(adapted):
    """An adapter that does something: every trained weight moved away from where it starts."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn_like(weight)
    return adapted


def logits(model):
    with torch.no_grad():
        return model.eval()(TEXT).logits


def step(adapted):
    """The loss of a text, and the gradients of everything that is trained."""
    loss = adapted.train()(TEXT, labels=TEXT).loss
    loss.backward()
    return loss.item(), {name: w.grad for name, w in adapted.named_parameters() if w.requires_grad}


def assert_same(ours, theirs):
    assert ours[0] == pytest.approx(theirs[0], rel=1e-6)
    assert list(ours[1]) == list(theirs[1]) and ours[1]
    for name, grad in ours[1].items():
        assert (grad - theirs[1][name]).norm() <= 1e-5 * theirs[1][name].norm(), name


def tiny(adapter, **training):
    """A recipe of a few seconds on top of a model that is trained first."""
    steps = {"global_batch_size": 4, "max_length": 32, "rehearse": False, **training}
    base = Recipe(model=Llama(layers=1, hidden=64, heads=2), data=Toy("stories", rows=40), objective=CLM(), title="base",
                  tokenizer="byte_bpe", training=Training(steps=2, **steps))  # fmt: skip
    return base.replace(model=Trained(base), tokenizer=None, adapter=adapter, title="adapted",
                        training=Training(steps=6, learning_rate=1e-2, **steps))  # fmt: skip


def test_every_linear_layer_of_the_body_is_held_in_4_bits():
    model = QLoRA(r=4, targets=("q_proj",)).apply(llama(), None)
    held = {name for name, layer in model.named_modules() if isinstance(layer, Linear4bit)}
    assert len(held) == 2 * 7 and not any("lm_head" in name for name in held)
    weights = [model.get_submodule(name).weight for name in held]
    assert all(weight.dtype == torch.uint8 and not weight.requires_grad for weight in weights)
    assert {type(layer).__name__ for layer in (model.get_output_embeddings(),)} == {"Linear"}
    assert (logits(model) - logits(llama())).abs().max() > 1e-3  # rounded, else this test shows nothing


def test_training_equals_a_lora_on_the_dequantised_weights():
    ours, theirs = shaken(QLoRA(r=4).apply(llama(), None)), shaken(LoRA(r=4).apply(dequantised(), None))
    logits(ours)  # an evaluation in between changes nothing
    assert_same(step(ours), step(theirs))


@pytest.mark.parametrize("qlora", KINDS, ids=NAMES)
def test_merged_equals_unmerged(qlora, tmp_path):
    adapted = shaken(qlora.apply(llama(), None))
    before = logits(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    model = merged(adapted)
    assert not any(isinstance(layer, Linear4bit) for layer in model.modules())
    assert {weight.dtype for weight in model.state_dict().values()} == {torch.float32}
    assert (logits(model) - before).abs().max() <= 1e-5
    model.save_pretrained(tmp_path / "model")
    assert "quantization_config" not in json.loads((tmp_path / "model" / "config.json").read_text())
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert (logits(again) - before).abs().max() <= 1e-5
    from safetensors.torch import load_file

    saved = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert all("lora_" in name for name in saved)


def test_it_computes_in_the_run_s_precision():
    layer = Linear4bit(nn.Linear(64, 32), "nf4", True)
    x, bias = torch.randn(3, 64), layer.bias.clone()
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x)
    assert (half.dtype, layer(x).dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(layer(x), in_float(layer)(x)) and torch.equal(layer.bias, bias)


def test_a_switched_off_adapter_is_the_quantised_base():
    adapted = shaken(QLoRA(r=4).apply(llama(), None))
    with reference(adapted) as base:
        assert torch.equal(logits(base), logits(dequantised()))
    assert not torch.equal(logits(adapted), logits(dequantised()))


@pytest.mark.parametrize("more", [{}, {"context_fn": selective}], ids=["full", "selective"])
def test_recomputing_activations_changes_no_gradient(more):
    kept, again = (shaken(QLoRA(r=4).apply(llama(), None)) for _ in range(2))
    again.get_base_model().activation_checkpointing_enable({"use_reentrant": False, **more})
    with _Products() as seen:
        ours = step(again)
    assert_same(ours, step(kept))
    assert seen.count == 14 * (1 if more else 2)  # of the 4-bit layers, selective checkpointing keeps what they gave


class _Products(TorchDispatchMode):
    """Counts products with 4-bit weights."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.bitsandbytes.gemm_4bit.default
        return func(*args, **(kwargs or {}))


def test_weights_of_two_to_a_byte_are_counted_one_by_one():
    ours, theirs = QLoRA(r=4).apply(llama(), None), LoRA(r=4).apply(llama(), None)
    assert count_weights(ours) == count_weights(theirs)
    counted = []
    for model in (ours, theirs):
        arithmetic = Arithmetic(model)
        done = arithmetic.watch(TEXT.numel())
        model(TEXT)
        done()
        counted.append((arithmetic.forward, arithmetic.backward))
    assert counted[0] == counted[1] and counted[0][0] > 0


def test_what_cannot_be_quantised_is_a_sentence():
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=32))
    with pytest.raises(RecipeError, match=r"QLoRA: the layers of GPT2LMHeadModel are Conv1D.*train a LoRA"):
        QLoRA().apply(gpt2, None)
    once = QLoRA(r=2).apply(llama(), None).unload()
    with pytest.raises(RecipeError, match=r"LlamaForCausalLM are quantised already"):
        QLoRA().apply(once, None)
    with pytest.raises(RecipeError, match=r"QLoRA\.targets: no linear layer .* called 'q_prj'"):
        QLoRA(targets=("q_prj",)).apply(llama(), None)


def test_without_bitsandbytes_nothing_is_built(monkeypatch, tmp_path):
    monkeypatch.setattr("smolrecipes.adapters.qlora.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"pip install 'smolrecipes\[gpu\]'"):
        run(tiny(QLoRA()), runs=tmp_path)
    assert not list(tmp_path.glob("*/model"))


def test_a_run_saves_a_plain_model_and_resumes(tmp_path, capsys):
    recipe = tiny(QLoRA(r=4), save_every=3)
    done = run(recipe, runs=tmp_path)
    whole = AutoModelForCausalLM.from_pretrained(done.model).state_dict()
    assert done.results["after"]["loss"] < done.results["before"]["loss"] - 0.1
    assert "trains 5,120 of 140,544 parameters" in capsys.readouterr().out
    (done.folder / "results.json").unlink()
    shutil.rmtree(done.folder / "checkpoints" / "checkpoint-6")
    run(recipe, runs=tmp_path)
    assert "checkpoint-3" in "".join(capsys.readouterr().out.split())
    resumed = AutoModelForCausalLM.from_pretrained(done.model).state_dict()
    assert all(torch.equal(resumed[name], weight) for name, weight in whole.items())
