"""Replaced token detection: the generator's tokens, the two losses, what is saved, and that the model learns to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, ElectraForMaskedLM, ElectraForPreTraining

from smolrecipes import ELECTRA, RTD, Characters, Files, Layout, Pretrained, Recipe, Training, run
from smolrecipes.batches import Loader
from smolrecipes.objectives.answers import auc
from smolrecipes.objectives.generator import choose
from smolrecipes.run import ready

TOPICS, WORDS = 16, 96


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each text takes its letters from one of 16 sets of six."""
    rng = np.random.default_rng(0)
    sets = [rng.choice(WORDS, 6, replace=False) for _ in range(TOPICS)]
    rows = [[chr(0x4E00 + i) for i in rng.choice(sets[rng.integers(TOPICS)], 30)] for _ in range(2000)]
    path = tmp_path_factory.mktemp("rtd") / "topics.jsonl"
    path.write_text("\n".join(json.dumps({"text": "".join(row)}) for row in rows), encoding="utf-8")
    return path


def recipe(texts: Path, **training: Any) -> Recipe:
    return Recipe(
        tokenizer=Characters(specials="bert"),
        model=ELECTRA(layers=2, hidden=64, heads=8, max_length=32),
        data=Files(str(texts)),
        validation=100,
        objective=RTD(documents="separate", generator=0.125),
        training=Training(global_batch_size=32, max_length=32, learning_rate=3e-3, log_every=1000, **training),
    )


def test_tells_what_was_replaced(texts: Path, tmp_path: Path) -> None:
    """Far above chance, where a loss at the base rate's entropy would pass for learning."""
    done = run(recipe(texts, steps=160), runs=tmp_path)
    after = done.results["after"]
    rate = after["replaced"]
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert after["auc"] > 0.8 and after["rtd"] < 0.75 * entropy
    assert after["mlm"] < 0.9 * np.log(WORDS)


def test_both_are_saved_and_read_by_transformers_alone(texts: Path, tmp_path: Path) -> None:
    assembly = ready(recipe(texts, steps=3), runs=tmp_path)
    done = run(recipe(texts, steps=3), runs=tmp_path)
    ids = torch.randint(5, 60, (2, 9))
    model, found = ElectraForPreTraining.from_pretrained(done.model, output_loading_info=True)
    generator, others = ElectraForMaskedLM.from_pretrained(done.model / "generator", output_loading_info=True)
    assert not any((found["missing_keys"], found["unexpected_keys"], others["missing_keys"], others["unexpected_keys"]))
    assert len(AutoTokenizer.from_pretrained(done.model / "generator")) == len(assembly.parts.tokenizer)
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        shared = [getattr(one.electra.embeddings, name).weight for one in (model, generator)]
        assert torch.equal(*shared)
    assert torch.equal(generator.generator_lm_head.weight, model.electra.embeddings.word_embeddings.weight)
    assert generator.config.hidden_size == 8 and model(ids).logits.shape == (2, 9)
    again = recipe(texts, steps=3).replace(model=Pretrained(str(done.model)), tokenizer=None)
    measured = ready(again, runs=tmp_path / "again").trainer.evaluate()
    assert measured["eval_loss"] == pytest.approx(done.results["after"]["loss"], rel=1e-5)


def test_resumed_equals_uninterrupted(texts: Path, tmp_path: Path) -> None:
    whole = ready(recipe(texts, steps=6), runs=tmp_path / "whole").trainer
    whole.train()
    part = ready(recipe(texts, steps=6, save_every=3), runs=tmp_path / "part").trainer
    part.train()
    (folder,) = (tmp_path / "part").glob("*/checkpoints/checkpoint-3")
    other = ready(recipe(texts, steps=6, save_every=3), runs=tmp_path / "part").trainer
    other.train(resume_from_checkpoint=str(folder))
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name]), name


def test_one_batch_is_the_same_in_any_parts(texts: Path, tmp_path: Path) -> None:
    trainer: Any = ready(recipe(texts, steps=2), runs=tmp_path).trainer
    loader: Loader = trainer.get_train_dataloader()
    model, objective = trainer.model.eval(), trainer.objective
    whole = objective.loss(model, loader.of([0, 1, 2, 3]))
    parts = [objective.loss(model, loader.of(rows)) for rows in ([0, 1], [2, 3])]
    for name, term in whole.terms.items():
        torch.testing.assert_close(term.sum, sum(part.terms[name].sum for part in parts), rtol=1e-5, atol=1e-5)
    assert torch.equal(whole.answers["right"], torch.cat([part.answers["right"] for part in parts]))


def test_tokens_are_drawn_from_the_softmax() -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(4, 6)
    hidden = torch.randn(1, 4).expand(6000, 4)
    chances = torch.from_numpy(np.random.default_rng(0).random(6000))
    chosen = choose(hidden, head, chances)
    shares = chosen.bincount(minlength=6) / 6000
    torch.testing.assert_close(shares, head(hidden[0]).softmax(-1).detach(), rtol=0, atol=0.02)
    assert torch.equal(choose(hidden[:3], head, torch.tensor([0.0, 0.0, 1.0])), torch.tensor([0, 0, 5]))


def test_control_tokens_are_not_judged() -> None:
    tokenizer: Any = Characters(specials="bert").build(_letters("abcabc" * 9))
    objective, rng = RTD(rate=0.5), np.random.default_rng(0)
    drawn = objective.draw({"input_ids": tokenizer("abcabc", add_special_tokens=False)["input_ids"]}, rng, tokenizer)
    batch = objective.collate([drawn], Layout())
    assert batch["judged"].tolist() == [1, 2, 3, 4, 5, 6] and objective.counts(batch) == {"tokens": 3, "judged": 6}
    assert (batch["input_ids"][0][batch["at"]] == tokenizer.mask_token_id).all()


def test_auc_by_hand() -> None:
    scores, right = np.array([0.1, 0.4, 0.35, 0.8, 0.4]), np.array([0, 0, 1, 1, 1])
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[right == 1] for b in scores[right == 0]]
    assert auc(scores, right) == pytest.approx(sum(pairs) / len(pairs)) == pytest.approx(4.5 / 6)
    assert auc(scores, np.zeros(5)) == 0.5


def _letters(text: str) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"text": [text], "origin": ["a:1"]})
