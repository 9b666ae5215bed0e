"""Distillation: divergences by hand, a student that starts as its teacher, and one that learns from nothing else."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from smolrecipes import (
    BERT,
    CLM,
    MLM,
    Causal,
    Characters,
    DistilBERT,
    Distillation,
    Files,
    Llama,
    MLMDistillation,
    Recipe,
    RecipeError,
    Trained,
    Training,
    run,
)  # fmt: skip
from smolrecipes.objectives.losses import divergence
from smolrecipes.run import ready

SIZES: dict[str, Any] = {"hidden": 64, "heads": 4, "max_length": 32}
FAST: dict[str, Any] = {
    "global_batch_size": 16,
    "max_length": 32,
    "optimizer": "muon",
    "learning_rate": 5e-3,
    "log_every": 1000,
}


def test_divergences_by_hand() -> None:
    student, teacher = torch.tensor([[0.125, 0.125, 0.75]]).log(), torch.tensor([[0.5, 0.25, 0.25]]).log()
    forward = 0.5 * log(4) + 0.25 * log(2) - 0.25 * log(3)
    reverse = -0.125 * log(4) - 0.125 * log(2) + 0.75 * log(3)
    mixed = [(0.125 + 0.5) / 2, (0.125 + 0.25) / 2, 0.5]
    halves = [sum(p * log(p / m) for p, m in zip(side, mixed)) for side in ([0.125, 0.125, 0.75], [0.5, 0.25, 0.25])]
    for kind, value in (("forward", forward), ("reverse", reverse), ("jsd", sum(halves) / 2)):
        found = divergence(student, teacher, 1.0, kind)  # type: ignore[arg-type]
        assert found.tolist() == pytest.approx([value], rel=1e-5)
        softened = divergence(2 * student + 3, 2 * teacher - 1, 2.0, kind)  # type: ignore[arg-type]
        assert softened.tolist() == pytest.approx([4 * value], rel=1e-5)  # a constant changes nothing; 2 squared does


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain over twenty letters, each as frequent as any other: ln 20 is all that frequencies give."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("chain") / "chain.jsonl"
    rows = []
    for _ in range(600):
        jumps = np.where(rng.random(30) < 0.1, rng.integers(0, 20, 30), 1)
        rows.append({"text": "".join("abcdefghijklmnopqrst"[at % 20] for at in rng.integers(20) + jumps.cumsum())})
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def decoder(chain: Path) -> Recipe:
    return Recipe(
        tokenizer=Characters(), model=Llama(layers=2, **SIZES), data=Files(str(chain)), objective=CLM(documents="separate"),
        training=Training(steps=80, **FAST),
    )  # fmt: skip


@pytest.fixture(scope="module")
def encoder(chain: Path) -> Recipe:
    return Recipe(
        tokenizer=Characters(specials="bert"), model=BERT(layers=4, **SIZES), data=Files(str(chain)),
        objective=MLM(documents="separate"), training=Training(steps=5, **FAST),
    )  # fmt: skip


def first_loss(recipe: Recipe, runs: Path) -> dict[str, float]:
    """The terms of the loss before training, without dropout, per token."""
    trainer = ready(recipe, runs=runs).trainer
    return {name.removeprefix("eval_"): value for name, value in trainer.evaluate().items()}


@pytest.mark.parametrize("divergence", ["forward", "reverse", "jsd"])
def test_a_student_learns_from_its_teacher_alone(decoder: Recipe, runs: Path, divergence: Any) -> None:
    """share=1: no label is in the loss, and still the student knows the chain."""
    objective = Distillation(teacher=Trained(decoder), share=1.0, divergence=divergence, documents="separate")
    student = decoder.replace(tokenizer=None, model=Llama(layers=1, **SIZES), objective=objective)
    done = run(student, runs=runs)
    assert done.results["after"]["nll"] < 0.6 * log(20)
    assert done.results["after"]["soft"] < 0.2 * done.results["before"]["soft"]
    saved = load_file(done.model / "model.safetensors")
    assert not any("teacher" in name or "layers.1" in name for name in saved)
    assert done.results["parameters"] < sum(weight.numel() for weight in saved.values()) * 1.01


def test_a_copy_of_the_teacher_has_nothing_to_learn(decoder: Recipe, encoder: Recipe, runs: Path) -> None:
    base = Trained(decoder)
    copy = decoder.replace(tokenizer=None, model=base, objective=Distillation(teacher=base, documents="separate"))
    assert first_loss(copy, runs)["soft"] == pytest.approx(0, abs=1e-6)
    whole = MLMDistillation(teacher=Trained(encoder), documents="separate")
    begun = first_loss(encoder.replace(tokenizer=None, model=BERT(layers=4, **SIZES), objective=whole), runs)
    assert begun["soft"] == pytest.approx(0, abs=1e-6) and begun["cosine"] == pytest.approx(0, abs=1e-6)


def test_a_distilbert_begins_as_every_second_block_of_its_teacher(encoder: Recipe, runs: Path) -> None:
    objective = MLMDistillation(teacher=Trained(encoder), documents="separate")
    recipe = encoder.replace(tokenizer=None, model=DistilBERT(layers=2, **SIZES), objective=objective)
    made = ready(recipe, runs=runs).trainer.model
    teacher = made.__dict__["teacher"]
    for block, source in ((0, 0), (1, 2)):
        theirs = teacher.bert.encoder.layer[source]
        own = made.distilbert.transformer.layer[block]
        assert torch.equal(own.attention.q_lin.weight, theirs.attention.self.query.weight)
        assert torch.equal(own.ffn.lin2.weight, theirs.output.dense.weight)
        assert torch.equal(own.output_layer_norm.bias, theirs.output.LayerNorm.bias)
    assert torch.equal(made.vocab_projector.weight, teacher.get_input_embeddings().weight)
    assert torch.equal(made.vocab_transform.weight, teacher.cls.predictions.transform.dense.weight)
    assert not any(weight.requires_grad for weight in teacher.parameters())
    random = first_loss(recipe.replace(objective=objective.replace(start=False)), runs)
    assert first_loss(recipe, runs)["cosine"] < 0.5 * random["cosine"]


def test_packed_is_padded(encoder: Recipe, runs: Path) -> None:
    """The teacher reads sequences side by side as its student does."""
    objective = MLMDistillation(teacher=Trained(encoder), documents="separate")
    recipe = encoder.replace(tokenizer=None, model=DistilBERT(layers=2, **SIZES), objective=objective)
    packed, padded = (
        first_loss(recipe.replace(training=recipe.training.replace(packing=packing)), runs) for packing in (True, False)
    )
    for name in ("soft", "cosine", "nll"):
        assert packed[name] == pytest.approx(padded[name], rel=1e-5)


def test_what_cannot_be_taught_is_a_sentence(decoder: Recipe, encoder: Recipe, runs: Path, tmp_path: Path) -> None:
    objective = MLMDistillation(teacher=Trained(encoder), documents="separate")
    recipe = encoder.replace(tokenizer=None, model=DistilBERT(layers=2, **SIZES), objective=objective)
    wide = DistilBERT(layers=2, hidden=32, heads=4, max_length=32)
    for change, said in (
        ({"tokenizer": Characters(specials="bert", extra=("<x>",))}, "its tokenizer is not that of the recipe"),
        ({"model": DistilBERT(layers=8, **SIZES)}, "a student of 8 blocks does not begin with 4 of its teacher"),
        ({"model": wide}, r"the teacher has no .* of shape .*objective.start=false"),
        ({"model": wide, "objective": objective.replace(start=False)}, "hidden states of 32 and of 64 have no angle"),
    ):
        with pytest.raises(RecipeError, match=said):
            ready(recipe.replace(**change), runs=runs)


def test_logits_that_are_not_the_heads_are_refused(decoder: Recipe, runs: Path) -> None:
    """A soft cap behind the head would be left out of the divergence without a word."""
    capped = decoder.replace(
        model=Causal("gemma2", layers=1, attention="eager", **SIZES), training=Training(steps=1, **FAST)
    )
    student = decoder.replace(
        tokenizer=None,
        model=Llama(layers=1, **SIZES),
        objective=Distillation(teacher=Trained(capped), documents="separate"),
    )
    with pytest.raises(RecipeError, match="changes its logits after the head"):
        ready(student, runs=runs)
