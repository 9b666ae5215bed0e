"""Training.optimizer and the schedule's floor: who is orthogonalised, by how much, and resumed to the bit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from powercut import RECIPE as TINY
from safetensors.torch import load_file
from transformers import T5Config, T5ForConditionalGeneration, XLNetConfig, XLNetLMHeadModel

from smolrecipes import ELECTRA, GPT2, Callback, Llama, LoRA, RecipeError, Run, Training, run
from smolrecipes.objectives.generator import attach
from smolrecipes.optimizers import Muon, muon_groups, optimizer_options, orthogonal, use

RECIPE = TINY.replace(
    training=TINY.training.replace(steps=6, optimizer="muon", weight_decay=0.1, rehearse=True, threads=None)
)
TOKENIZER: Any = type("Words", (SimpleNamespace,), {"__len__": lambda self: 300})(
    pad_token_id=1, bos_token_id=None, eos_token_id=0
)

MARKED: Any = type("Words", (SimpleNamespace,), {"__len__": lambda self: 300})(
    pad_token_id=0, cls_token_id=1, sep_token_id=2, mask_token_id=3, bos_token_id=None, eos_token_id=None
)


def names(model: Any, decayed: list[str] | None = None) -> dict[tuple[bool, float], list[str]]:
    """The names of the weights in each group, by whether it is orthogonalised and how it decays."""
    known = {id(weight): name for name, weight in model.named_parameters()}
    groups = muon_groups(model, decayed if decayed is not None else known.values(), 0.1)
    return {(g["orthogonal"], g["weight_decay"]): [known[id(w)] for w in g["params"]] for g in groups}


@pytest.mark.parametrize("shape", [(3, 24, 24), (2, 16, 40), (40, 16)])
def test_singular_values_become_about_one_and_directions_stay(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    u, values, v = torch.linalg.svd(torch.randn(shape if len(shape) == 3 else (1, *shape)), full_matrices=False)
    given = u * torch.linspace(1, 0.1, values.shape[-1]) @ v
    found = orthogonal(given).float()
    values = torch.linalg.svdvals(found)
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3
    exact = u @ v
    cosine = (found * exact).sum((1, 2)) / (found.norm(dim=(1, 2)) * exact.norm(dim=(1, 2)))
    assert float(cosine.min()) > 0.97
    assert bool((orthogonal(torch.zeros(1, 4, 6)) == 0).all())  # a matrix without a gradient yet


def test_a_matrix_moves_as_torch_s_own_muon_moves_it() -> None:
    theirs = pytest.importorskip("torch.optim", reason="torch 2.9 has it")
    if not hasattr(theirs, "Muon"):
        pytest.skip("torch 2.9 has it")
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(size)) for size in ((24, 16), (24, 16), (12, 40))]
    other = [torch.nn.Parameter(weight.detach().clone()) for weight in ours]
    start = [weight.detach().clone() for weight in ours]
    optimizers = [
        Muon([{"params": ours, "weight_decay": 0.1, "orthogonal": True}], 1e-2),
        theirs.Muon(other, lr=1e-2, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(4):
        for mine, yours in zip(ours, other, strict=True):
            mine.grad = torch.randn_like(mine)
            yours.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for mine, yours, before in zip(ours, other, start, strict=True):
        apart, moved = (mine - yours).detach().norm(), (mine - before).detach().norm()
        assert float(apart / moved) < 0.02  # theirs rounds to bfloat16 everywhere


def test_the_rest_moves_as_adamw_moves_it_to_the_bit() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(size)) for size in ((24, 16), (7,))]
    other = [torch.nn.Parameter(weight.detach().clone()) for weight in ours]
    mine = Muon([{"params": ours, "weight_decay": 0.1, "orthogonal": False}], 1e-2, betas=(0.9, 0.99))
    theirs = torch.optim.AdamW(other, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    for _ in range(4):
        for one, two in zip(ours, other, strict=True):
            one.grad = torch.randn_like(one)
            two.grad = one.grad.clone()
        mine.step()
        theirs.step()
    assert all(torch.equal(one, two) for one, two in zip(ours, other, strict=True))


@pytest.mark.parametrize("tied", [True, False])
def test_hidden_matrices_alone_are_orthogonalised(tied: bool) -> None:
    llama = names(Llama(layers=1, hidden=32, heads=2, tied=tied).build(TOKENIZER))
    parts = [f"self_attn.{letter}_proj" for letter in "qkvo"] + [f"mlp.{part}_proj" for part in ("gate", "up", "down")]
    assert llama[True, 0.1] == [f"model.layers.0.{part}.weight" for part in parts]
    rest = llama[False, 0.1]
    assert "model.embed_tokens.weight" in rest and "model.norm.weight" in rest
    assert ("lm_head.weight" in rest) is not tied
    gpt2 = names(GPT2(layers=1, hidden=32, heads=2, tied=tied).build(TOKENIZER), ["transformer.wte.weight"])
    assert [name.split(".")[-2] for name in gpt2[True, 0.0]] == ["c_attn", "c_proj", "c_fc", "c_proj"]
    assert gpt2[False, 0.1] == ["transformer.wte.weight"]
    assert {"transformer.wpe.weight", "transformer.ln_f.bias"} <= set(gpt2[False, 0.0])


def test_what_is_no_matrix_product_by_itself_is_not_orthogonalised() -> None:
    """XLNet's biases have two dimensions, one for the heads; its projections are three-dimensional parameters."""
    model = XLNetLMHeadModel(XLNetConfig(vocab_size=50, d_model=32, n_layer=1, n_head=2, d_inner=64))
    found = names(model)
    assert [name.split(".")[-2] for name in found[True, 0.1]] == ["layer_1", "layer_2"]
    assert {"transformer.layer.0.rel_attn.r_w_bias", "transformer.layer.0.rel_attn.q"} <= set(found[False, 0.1])


def test_a_generator_s_matrices_are_hidden_and_t5_s_own_head_is_not() -> None:
    """ELECTRA's generator lies outside of the base model; T5's base model is the whole of it."""
    electra = ELECTRA(layers=1, hidden=32, heads=2)
    bare = electra.build(MARKED, "discriminator")
    attach(bare, electra, MARKED, 0.5)
    found = names(bare)
    inside = [name for name in found[True, 0.1] if name.startswith("generator.")]
    assert len(inside) == 7 and all(name.startswith("generator.electra.e") for name in inside)
    assert any(name.startswith("generator.generator_predictions") for name in found[False, 0.1])
    config = T5Config(vocab_size=50, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2)
    config.tie_word_embeddings = False  # by itself transformers ties them, whatever it is told
    t5 = names(T5ForConditionalGeneration(config))
    assert {"lm_head.weight", "shared.weight"} <= set(t5[False, 0.1]) and len(t5[True, 0.1]) == 16


def test_a_scoring_head_is_not_hidden_and_a_model_without_matrices_is_refused() -> None:
    model = Llama(layers=1, hidden=32, heads=2).build(TOKENIZER, "sequence-classification", 2)
    assert "score.weight" in names(model)[False, 0.1]
    model.model.layers.requires_grad_(False)
    with pytest.raises(RecipeError, match="no hidden matrix is trained; take adamw"):
        names(model)


class PowerCut(Callback):
    """Ends the process, as it were, after three steps."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_a_run_with_muon_resumes_to_the_bit(tmp_path: Path) -> None:
    whole = run(RECIPE, runs=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(RECIPE.replace(callbacks=(PowerCut(),)), runs=tmp_path / "cut")
    (folder,) = (tmp_path / "cut").glob("tiny-*")
    assert (folder / "checkpoints" / "checkpoint-2" / "optimizer.pt").is_file()
    done = run(RECIPE, runs=tmp_path / "cut")
    expected, found = (load_file(one.model / "model.safetensors") for one in (whole, done))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert whole.results["after"]["loss"] < whole.results["before"]["loss"]
    plain = run(RECIPE.override("training.optimizer=adamw"), runs=tmp_path / "whole")
    assert plain.results["after"]["loss"] != whole.results["after"]["loss"]


def rates(done: Run) -> list[float]:
    lines = (done.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["learning_rate"] for entry in map(json.loads, lines) if "loss" in entry]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [  # of the peak, before each of ten steps; the first of two steps of warm-up starts at 0, wsd's at the floor
        ("cosine", [0, 0.5, 1, 0.9657, 0.8682, 0.7222, 0.55, 0.3778, 0.2318, 0.1343]),
        ("linear", [0, 0.5, 1, 0.8875, 0.775, 0.6625, 0.55, 0.4375, 0.325, 0.2125]),
        ("wsd", [0.1, 0.55, 1, 1, 1, 1, 1, 1, 1, 0.55]),
    ],
)
def test_the_rate_falls_to_its_floor(schedule: str, expected: list[float], tmp_path: Path) -> None:
    changes = ["training.steps=10", "training.warmup=0.2", "training.final_rate=0.1", "training.optimizer=adamw"]
    done = run(RECIPE.override(*changes, f"training.schedule={schedule}"), runs=tmp_path)
    assert rates(done) == pytest.approx([1e-2 * share for share in expected], rel=1e-3, abs=1e-9)


def test_what_cannot_run_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="a constant schedule does not fall; leave final_rate out"):
        Training(schedule="constant", final_rate=0.1)
    with pytest.raises(RecipeError, match="give optimizer=muon or hf's optim=sgd, not both"):
        Training(optimizer="muon", hf={"optim": "sgd"})
    with pytest.raises(RecipeError, match="muon is for whole matrices; the factors of an adapter"):
        RECIPE.replace(adapter=LoRA())
    with pytest.raises(RecipeError, match="holdout=last takes a share or count of data"):
        RECIPE.replace(validation="held.txt", holdout="last")
    with pytest.raises(RecipeError, match="adamw_8bit needs a cuda device; here take adamw or muon"):
        optimizer_options("adamw_8bit", cuda=False)
    monkeypatch.setattr("smolrecipes.optimizers.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"needs bitsandbytes: pip install 'smolrecipes\[gpu\]'"):
        optimizer_options("adamw_8bit", cuda=True)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(RecipeError, match="muon needs whole matrices"):
        use("muon", None)  # type: ignore[arg-type]


def test_adamw_is_the_fused_one(tmp_path: Path) -> None:
    trainer = RECIPE.override("training.optimizer=adamw").trainer(tmp_path)
    assert [group["fused"] for group in trainer.create_optimizer().param_groups] == [True, True]
