"""Encoder-decoders: labels smoothed as PyTorch smooths them, and targets that only the source can tell."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from smolrecipes import (
    BART,
    FIM,
    M2M100,
    T5,
    Characters,
    Decoding,
    Files,
    Infilling,
    Layout,
    Llama,
    Pretrained,
    Recipe,
    SpanCorruption,
    Training,
    Transformer,
    Translation,
    run,
)  # fmt: skip
from smolrecipes.ask import ask
from smolrecipes.ask.load import load
from smolrecipes.objectives.forward import token_nll, token_smooth
from smolrecipes.run import ready

SIZES: dict[str, Any] = {"layers": 1, "hidden": 64, "heads": 4}
LONG: dict[str, Any] = {**SIZES, "max_length": 24}
FAST: dict[str, Any] = {
    "global_batch_size": 32,
    "max_length": 24,
    "optimizer": "muon",
    "learning_rate": 5e-3,
    "log_every": 1000,
}
LETTERS = 12


def written(path: Path, rows: list[dict[str, str]]) -> Files:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Files(str(path))


def text(ids: Any, first: int = 97) -> str:
    return "".join(chr(first + i) for i in ids)


@pytest.mark.parametrize("model", [T5(**SIZES), BART(**LONG), M2M100(**LONG), Transformer(**LONG)], ids=str)
def test_labels_are_smoothed_as_pytorch_does(model: Any) -> None:
    tokenizer = Characters(specials=model.specials).build(rows())
    torch.manual_seed(0)
    made: Any = model.build(tokenizer, "seq2seq").eval()
    batch = Layout(start_id=made.config.decoder_start_token_id).pairs([[5, 6, 7], [8]], [[9, 5], [6, 7, 8, 9]])
    given = {name: batch[name] for name in ("input_ids", "attention_mask", "decoder_input_ids")}
    logits = made(**given).logits.flatten(0, 1)[batch["at"]]
    nll, even = token_smooth(made, batch)
    expected = F.cross_entropy(logits, batch["labels"], reduction="sum", label_smoothing=0.1)
    torch.testing.assert_close(0.9 * nll + 0.1 * even, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(nll, token_nll(made, batch), rtol=1e-5, atol=1e-5)
    (0.9 * nll + 0.1 * even).backward()
    ours = [weight.grad.clone() for weight in made.parameters() if weight.grad is not None]
    made.zero_grad()
    F.cross_entropy(
        made(**given).logits.flatten(0, 1)[batch["at"]], batch["labels"], reduction="sum", label_smoothing=0.1
    ).backward()
    for found, right in zip(
        ours, (weight.grad for weight in made.parameters() if weight.grad is not None), strict=True
    ):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)


def rows() -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"text": ["abcdefghij"], "origin": ["a:1"]})


@pytest.mark.parametrize("model", [Transformer(**LONG), T5(**SIZES)], ids=str)
def test_a_translation_is_read_from_its_source(model: Any, tmp_path: Path) -> None:
    """Each letter stands for one of another alphabet; beside another's source nothing is known of it."""
    rng = np.random.default_rng(0)
    pairs = [{"source": text(one), "target": text(one, 0x3B1)} for one in rng.integers(0, LETTERS, (1500, 6))]
    done = run(
        recipe(model, written(tmp_path / "pairs.jsonl", pairs), Translation(smoothing=0.0), steps=300), runs=tmp_path
    )
    shuffled = [{**row, "target": pairs[(i + 7) % len(pairs)]["target"]} for i, row in enumerate(pairs[:200])]
    true, other = done.results["after"]["nll"], held_out(done, written(tmp_path / "other.jsonl", shuffled), tmp_path)
    assert true < 0.4 * log(LETTERS) and other > 0.8 * log(LETTERS)


def held_out(done: Any, data: Files, folder: Path) -> float:
    """The loss of a finished run's model on other rows."""
    other = done.recipe.replace(model=Pretrained(str(done.model)), tokenizer=None, validation=data)
    return float(ready(other, runs=folder / "other").trainer.evaluate()["eval_nll"])


def recipe(model: Any, data: Files, objective: Any, **training: Any) -> Recipe:
    more = {"sentinels": 6} if model.specials == "t5" else {}
    return Recipe(
        tokenizer=Characters(specials=model.specials, **more), model=model, data=data, validation=100, objective=objective,
        training=Training(**{**FAST, **training}),
    )  # fmt: skip


def twice(rng: Any, count: int) -> list[dict[str, str]]:
    """Texts of two halves that are the same: what is cut out of one stands in the other."""
    return [{"text": text(one) * 2} for one in rng.integers(0, LETTERS, (count, 8))]


@pytest.mark.parametrize(
    ("model", "objective", "below"),
    [
        (T5(**SIZES), SpanCorruption(documents="separate"), 0.7),
        (BART(**LONG), Infilling(documents="separate", permute=False), 0.4),
    ],
    ids=str,
)
def test_what_was_cut_out_is_read_in_the_rest(model: Any, objective: Any, below: float, tmp_path: Path) -> None:
    """Letters are even, so that a decoder alone could do no better than ln 12 for each; ends and sentinels are easy."""
    data = written(tmp_path / "twice.jsonl", twice(np.random.default_rng(0), 2000))
    done = run(recipe(model, data, objective, steps=450), runs=tmp_path)
    assert done.results["after"]["nll"] < below * log(LETTERS)


def test_a_middle_is_written_that_fits_what_comes_after(tmp_path: Path) -> None:
    """A ring of letters: the middle goes on from the beginning, and only the end tells where it stops."""
    rng, letters = np.random.default_rng(0), "abcdefghijklmnopqrst"
    texts = [
        "".join(letters[(start + i) % 20] for i in range(size))
        for start, size in rng.integers((0, 10), (20, 19), (1500, 2))
    ]
    recipe = Recipe(
        tokenizer=Characters(extra=("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")), model=Llama(**{**LONG, "layers": 2}),
        data=written(tmp_path / "ring.jsonl", [{"text": one} for one in texts]), objective=FIM(rate=1.0),
        training=Training(**FAST, steps=400),
    )  # fmt: skip
    done = run(recipe, runs=tmp_path)
    model, tokenizer = load(done.model)
    right = 0
    for trial in range(40):
        one = texts[trial]
        first, second = 3, 3 + 1 + trial % 5
        found = ask(model, tokenizer, [f"{one[:first]}<|fim_middle|>{one[second:]}"], Decoding(max_new_tokens=9))
        right += found.data["middle"] == one[first:second]
    assert right > 32  # one in five, where the end is not read
