"""A forward pass takes as many tokens as the device and the rehearsal allow."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainingArguments

from smolrecipes import CLM, ByteBPE, Llama, Recipe, Toy, Training
from smolrecipes.arguments import CPU_TOKENS, MICRO_TOKENS, _most_tokens


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
        ("cpu", TrainingArguments, None, True, CPU_TOKENS),
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


def test_a_trainer_alone_counts_on_no_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    class Made:
        trainer = None

    monkeypatch.setattr("smolrecipes.assemble.assemble", lambda recipe, *folders: asked.append(recipe) or Made())
    Recipe(model=Llama(), data=Toy("stories"), tokenizer=ByteBPE(), objective=CLM()).trainer(runs=tmp_path)
    assert not asked[0].training.rehearse
