"""Samples: what the model says, without touching what it learns."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import Trainer

from smolrecipes.callbacks.samples import Samples
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_weights_are_bit_identical_with_and_without(make_trainer):
    """Sampling draws random numbers and runs the model; training (with dropout) must not notice."""
    seen = make_trainer([Samples(("w1", "w2 w3"), every=3, decoding=Decoding(temperature=1.0, max_new_tokens=5))])
    seen.train()
    free = make_trainer([])  # made when the first is done: making a trainer sets the seed
    free.train()
    for (name, one), (_, other) in zip(seen.model.named_parameters(), free.model.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    assert seen.model.training == free.model.training


def test_they_are_printed_and_kept(make_trainer, tmp_path, capsys):
    make_trainer([Samples(("w1", "w2 w3"), every=3)], folder="run/checkpoints").train()
    found = lines(tmp_path / "run" / "samples.jsonl")
    assert [(row["step"], row["prompt"]) for row in found] == [(s, p) for s in (3, 6, 8) for p in ("w1", "w2 w3")]
    printed = capsys.readouterr().out
    assert "samples at step 3" in printed and f"w2 w3 → {found[1]['answer']}" in printed


def test_the_last_step_is_sampled_once(make_trainer, tmp_path):
    make_trainer([Samples(("w1",), every=4)]).train()
    assert [row["step"] for row in lines(tmp_path / "out" / "samples.jsonl")] == [4, 8]


def test_a_resumed_run_has_every_sample_once(make_trainer, tmp_path):
    make_trainer([Samples(("w1",), every=2)], save_strategy="steps", save_steps=4).train()
    make_trainer([Samples(("w1",), every=2)]).train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
    assert [row["step"] for row in lines(tmp_path / "out" / "samples.jsonl")] == [2, 4, 6, 8]


def test_chat_models_get_a_users_message(make_trainer, tmp_path):
    trainer = make_trainer([Samples(("w1",), every=8, system="w9")])
    trainer.processing_class.chat_template = (
        "{% for m in messages %}{{ m['content'] }} {% endfor %}{% if add_generation_prompt %}w30{% endif %}"
    )
    texts = []
    inner = trainer.processing_class.apply_chat_template
    trainer.processing_class.apply_chat_template = lambda *a, **k: texts.append(inner(*a, **k)) or texts[-1]
    trainer.train()
    assert "w9 w1 w30" in texts  # beside what is rendered to find the control tokens


def test_it_needs_prompts_and_a_tokenizer(make_trainer):
    with pytest.raises(RecipeError, match=r"Samples\.prompts"):
        Samples(())
    trainer = make_trainer([])
    bare = Trainer(
        model=trainer.model, args=trainer.args, train_dataset=trainer.train_dataset, callbacks=[Samples(("w1",))]
    )
    with pytest.raises(RecipeError, match="the trainer has no tokenizer"):
        bare.train()
