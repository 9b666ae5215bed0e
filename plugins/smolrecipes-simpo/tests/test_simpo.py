"""SimPO: a number worked out by hand, its name, and a run."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest
import smolrecipes_simpo
import torch
from smolrecipes_simpo import SimPO

from smolrecipes import ByteBPE, Files, Llama, Recipe, RecipeError, Training


def test_the_loss_by_hand(monkeypatch):
    # rewards 2 * -4 / 4 = -2 and 2 * -9 / 6 = -3, then 2 * -3 / 1 = -6 and 2 * -2 / 2 = -2
    pair = SimpleNamespace(
        chosen=torch.tensor([-4.0, -3.0]),
        chosen_tokens=torch.tensor([4, 1]),
        rejected=torch.tensor([-9.0, -2.0]),
        rejected_tokens=torch.tensor([6, 2]),
    )
    monkeypatch.setattr(SimPO, "logps", lambda self, model, batch: pair)
    loss = SimPO(beta=2.0, gamma=0.5).loss(None, {})
    assert loss.terms["simpo"].over == "pairs"
    assert loss.terms["simpo"].sum.item() == pytest.approx(math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(4.5)))
    assert loss.metrics["reward_accuracy"].sum.item() == 1


def test_it_is_found_by_its_name():
    assert smolrecipes_simpo.smolrecipes_register_objectives() == [SimPO]
    assert (SimPO.kind, SimPO.name) == ("objective", "simpo")
    with pytest.raises(RecipeError, match="gamma"):
        SimPO(gamma=-1)


def test_it_trains(tmp_path):
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    rows = [{"prompt": f"say {word}", "chosen": word, "rejected": word[::-1] + "!"} for word in words]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = Recipe(
        model=Llama(layers=1, hidden=32, heads=2),
        tokenizer=ByteBPE(vocab_size=300),
        data=Files(str(tmp_path / "pairs.jsonl")),
        validation=0,
        objective=SimPO(),
        training=Training(steps=8, global_batch_size=8, learning_rate=1e-2, max_length=64, log_every=1, device="cpu"),
    )
    trainer = recipe.trainer(runs=str(tmp_path / "runs"))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 8 and losses[-1] < losses[0] - 0.5
