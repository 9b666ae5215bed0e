"""Permutation language modelling: who sees whom, what is predicted, and that it learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import PLM, Characters, Files, Layout, Recipe, Training, XLNet, run
from smolrecipes.objectives.forward import token_logps
from smolrecipes.objectives.orders import in_order

LETTERS = "abcdefghijklmnopqrst"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    rows = Dataset.from_dict({"text": [LETTERS * 3], "origin": ["a:1"]})
    return Characters(specials="xlnet").build(rows)


def drawn(tokenizer: Any, text: str, seed: int = 0, one_in: int = 3) -> dict[str, Any]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return PLM(one_in=one_in).draw({"input_ids": ids}, np.random.default_rng(seed), tokenizer)


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    made: Any = XLNet(layers=2, hidden=32, heads=2, max_length=64).build(tokenizer, "permutation").eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 else None
    return made


@settings(max_examples=20)
@given(st.text(LETTERS, min_size=2, max_size=12), st.integers(0, 9), st.integers(1, 4))
def test_a_hidden_token_changes_no_prediction_that_must_not_see_it(
    tokenizer: Any, model: Any, text: str, seed: int, one_in: int
) -> None:
    """Bit for bit; and it changes those after it in the order."""
    example = drawn(tokenizer, text, seed, one_in)
    order, objective = example["order"], PLM()
    first = model_logits(model, objective.collate([example], Layout()))
    for place, at in enumerate(order):
        other = {**example, "input_ids": example["input_ids"].copy()}
        other["input_ids"][at] = 5 + (other["input_ids"][at] - 4) % 20
        second = model_logits(model, objective.collate([other], Layout()))
        assert torch.equal(first[: place + 1], second[: place + 1])
        assert not any(torch.equal(*pair) for pair in zip(first[place + 1 :], second[place + 1 :]))


def model_logits(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    names = ("input_ids", "token_type_ids", "attention_mask", "perm_mask", "target_mapping")
    with torch.no_grad():
        found: torch.Tensor = model(**{name: batch[name] for name in names}, use_cache=False).logits[0]
    return found


def test_the_control_tokens_are_seen_by_all_and_predicted_never(tokenizer: Any) -> None:
    example = drawn(tokenizer, "abcdef", one_in=1)
    assert sorted(example["order"]) == [0, 1, 2, 3, 4, 5]
    ends = [tokenizer.sep_token_id, tokenizer.cls_token_id]
    assert example["input_ids"][-2:].tolist() == ends and example["types"].tolist() == [0] * 7 + [2]
    batch = in_order([example], 0)
    assert not batch["perm_mask"][0, :, -2:].any() and batch["perm_mask"][0, -2:, :-2].all()
    rank = {place: index for index, place in enumerate(example["order"].tolist())}
    for i in range(6):
        assert [bool(batch["perm_mask"][0, i, j]) for j in range(6)] == [rank[j] >= rank[i] for j in range(6)]


def test_padding_changes_nothing(tokenizer: Any, model: Any) -> None:
    examples = [drawn(tokenizer, text, seed) for seed, text in enumerate(["abcdefgh", "abc", "qrstqrstqrst"])]
    alone = torch.cat([token_logps(model, PLM().collate([e], Layout()))[0] for e in examples])
    together, rows = token_logps(model, PLM().collate(examples, Layout(pad_id=tokenizer.pad_token_id)))
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    assert rows.tolist() == [0] * 3 + [1] + [2] * 4


def test_learns_far_below_the_frequencies(tmp_path: Path) -> None:
    """A chain over 20 letters, each as frequent as any other: ln 20 is all that frequencies give."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(600):
        jumps = np.where(rng.random(30) < 0.1, rng.integers(0, 20, 30), 1)
        rows.append({"text": "".join(LETTERS[at % 20] for at in rng.integers(20) + jumps.cumsum())})
    (tmp_path / "chain.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = Recipe(
        tokenizer=Characters(specials="xlnet"),
        model=XLNet(layers=2, hidden=64, heads=4, max_length=32),
        data=Files(str(tmp_path / "chain.jsonl")),
        objective=PLM(documents="separate"),
        training=Training(steps=200, global_batch_size=16, max_length=32, learning_rate=5e-3, log_every=1000),
    )
    assert run(recipe, runs=tmp_path).results["after"]["nll"] < 0.6 * np.log(20)
