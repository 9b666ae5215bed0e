"""A forward pass takes as many tokens as the device and the rehearsal allow."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainingArguments

from smolrecipes import CLM, ByteBPE, Llama, Recipe, Toy, Training
from smolrecipes.arguments import CPU_TOKENS, MICRO_TOKENS, _micro_steps, _most_tokens


class Theirs(TrainingArguments):
    """What the trainer of another library takes."""


@pytest.mark.parametrize(
    ("device", "kind", "deepspeed", "rehearse", "most"),
    [
        ("cuda", TrainingArguments, None, True, inf),
        ("cuda", TrainingArguments, None, False, MICRO_TOKENS),
        ("cuda", TrainingArguments, "ZeRO-2", True, MICRO_TOKENS),
        ("cuda", Theirs, None, True, MICRO_TOKENS),
        ("mps", TrainingArguments, None, True, MICRO_TOKENS),
        ("cpu", TrainingArguments, None, True, MICRO_TOKENS),
        ("cpu", Theirs, None, True, MICRO_TOKENS),
    ],
)
def test_more_than_usual_is_tried_where_a_rehearsal_tries_it(
    monkeypatch: pytest.MonkeyPatch, device: str, kind: type, deepspeed: Any, rehearse: bool, most: float
) -> None:
    monkeypatch.setattr(TrainingArguments, "device", torch.device(device))
    arguments = object.__new__(kind)
    object.__setattr__(arguments, "deepspeed_plugin", deepspeed)
    assert _most_tokens(arguments, Training(rehearse=rehearse)) == most


@pytest.mark.parametrize(
    ("inputs", "kind", "full", "steps"),
    [
        ([CPU_TOKENS // 8] * 8, TrainingArguments, False, 1),
        ([CPU_TOKENS // 6] * 8, TrainingArguments, False, 2),
        ([CPU_TOKENS // 6] * 8, TrainingArguments, True, 1),  # a second pass would add all gradients to the first's
        ([CPU_TOKENS // 4] * 8, TrainingArguments, True, 2),
        ([CPU_TOKENS // 4] * 8, Theirs, False, 1),
        ([10] * 792 + [1_000] * 8, TrainingArguments, False, 1),  # the usual batch decides, not the longest
        ([10] * 792 + [MICRO_TOKENS // 4] * 8, TrainingArguments, True, 2),  # unless it would not fit
    ],
)
def test_on_a_cpu_the_usual_batch_is_split(
    monkeypatch: pytest.MonkeyPatch, inputs: list[int], kind: type, full: bool, steps: int
) -> None:
    monkeypatch.setattr(TrainingArguments, "device", torch.device("cpu"))
    monkeypatch.setattr(TrainingArguments, "world_size", 1)
    arguments = object.__new__(kind)
    assert _micro_steps(arguments, Training(), inputs, 8, packed=True, full=full) == steps
    assert _micro_steps(arguments, Training(micro_batch_size=3), inputs, 8, packed=True, full=full) == 3


def test_a_trainer_alone_counts_on_no_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    class Made:
        trainer = None

    monkeypatch.setattr("smolrecipes.checkpoints.secure", lambda trainer: None)
    monkeypatch.setattr("smolrecipes.assemble.assemble", lambda recipe, *folders: asked.append(recipe) or Made())
    Recipe(model=Llama(), data=Toy("stories"), tokenizer=ByteBPE(), objective=CLM()).trainer(runs=tmp_path)
    assert not asked[0].training.rehearse
