"""A forward pass takes as many tokens as the device and the rehearsal allow."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from powercut import RECIPE as TINY
from transformers import TrainingArguments

from smolrecipes import CLM, ByteBPE, Llama, Recipe, RecipeError, Toy, Training
from smolrecipes.arguments import CPU_TOKENS, MICRO_TOKENS, _micro_steps, _most_tokens, rows_seen
from smolrecipes.examples import lengths
from smolrecipes.fields import checked_hf


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
        ([CPU_TOKENS // 4] * 8, TrainingArguments, True, 1),
        ([CPU_TOKENS // 2] * 8, TrainingArguments, True, 2),
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
    assert _micro_steps(arguments, Training(), np.array(inputs), 8, packed=True, full=full) == steps
    assert _micro_steps(arguments, Training(micro_batch_size=3), np.array(inputs), 8, packed=True, full=full) == 3


def test_a_shared_prompt_counts_once() -> None:
    pair = Dataset.from_dict({"prompt": [[1] * 30], "chosen": [[1] * 5], "rejected": [[1] * 7]})
    assert lengths(pair).tolist() == [72] and lengths(pair, prompts=1).tolist() == [42]


@pytest.mark.parametrize("name", ["average_tokens_across_devices", "prediction_loss_only", "dataloader_in_order"])
def test_a_field_that_nothing_reads_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"training.hf: '{name}' would not be used: "):
        checked_hf({name: True}, {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"push_to_hub": True}, "smolrecipes export RUN --to hub does it"),
        ({"torch_compile": True}, "set training.compile"),
        ({"torch_compile_backend": "inductor"}, "set training.compile"),  # transformers would compile for its sake
        ({"torch_compile_mode": "default"}, "set training.compile"),
        ({"train_sampling_strategy": "group_by_length"}, "set training.group_by_length"),
        ({"neftune_noise_alpha": 5.0}, "its noise follows the length of a row, and rows lie side by side here"),
        ({"optim_args": "a=1"}, "AdamW reads none; give it with the hf.optim that does"),
        ({"lr_scheduler_type": "cosine"}, "the recipe decides it: set training.schedule"),
    ],
)
def test_a_refused_field_is_told_with_its_option(given: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        checked_hf(given, {"lr_scheduler_type": "linear"})


def test_a_batch_of_tokens_counts_the_rows_that_come() -> None:
    rows = Dataset.from_dict({"input_ids": [[1] * 128] * 1321})
    parts: Any = SimpleNamespace(train=rows, batch=16, batch_tokens=2000)
    assert rows_seen(parts, 5) == 79  # 1,321 rows in 84 batches
    assert rows_seen(SimpleNamespace(train=rows, batch=16, batch_tokens=None), 5) == 80  # type: ignore[arg-type]


def test_an_optimizer_that_steps_in_each_backward_pass_is_refused() -> None:
    with pytest.raises(RecipeError, match="training.hf.optim=lomo: it steps in each backward pass"):
        checked_hf({"optim": "lomo"}, {})


def test_what_is_not_installed_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers says so with an ImportError when it makes the trainer, or its optimizer."""
    monkeypatch.setattr("transformers.integrations.get_available_reporting_integrations", lambda: ["tensorboard"])
    with pytest.raises(RecipeError, match="training.hf.report_to: wandb is not installed; install it, or leave it out"):
        checked_hf({"report_to": ["tensorboard", "wandb"]}, {"report_to": "none"})
    if find_spec("galore_torch") is None:
        lacking = TINY.override('training.hf={"optim": "galore_adamw", "optim_target_modules": ["mlp"]}')
        with pytest.raises(RecipeError, match="training.hf.optim: You need to install `galore_torch`"):
            lacking.trainer(tmp_path)


def test_what_a_plugin_cannot_import_is_no_fault_of_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(self: CLM, parts: Any) -> Any:
        raise ImportError("No module named 'theirs'")

    monkeypatch.setattr(CLM, "trainer", lacking)
    with pytest.raises(ImportError, match="No module named 'theirs'"):
        TINY.override("training.hf.adam_beta2=0.9").trainer(tmp_path)


def test_muon_takes_no_options_of_another_optimizer() -> None:
    with pytest.raises(RecipeError, match="give optimizer=muon or hf's optim_args=momentum=0.9, not both"):
        Training(optimizer="muon", hf={"optim_args": "momentum=0.9"})


def test_a_trainer_alone_counts_on_no_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    class Made:
        trainer = None

    monkeypatch.setattr("smolrecipes.checkpoints.secure", lambda trainer: None)
    monkeypatch.setattr("smolrecipes.assemble.assemble", lambda recipe, *folders: asked.append(recipe) or Made())
    Recipe(model=Llama(), data=Toy("stories"), tokenizer=ByteBPE(), objective=CLM()).trainer(runs=tmp_path)
    assert not asked[0].training.rehearse


def test_a_trainer_alone_in_several_processes_waits_for_no_weight_that_may_be_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = SimpleNamespace(args=SimpleNamespace(), accelerator=SimpleNamespace(ddp_handler=None))
    monkeypatch.setattr("smolrecipes.checkpoints.secure", lambda trainer: None)
    monkeypatch.setattr("smolrecipes.assemble.assemble", lambda *given: SimpleNamespace(trainer=told))
    this = import_module("smolrecipes.run")  # whose name is the function's as well
    monkeypatch.setattr(this, "_join", lambda recipe: None)
    monkeypatch.setattr(this, "WORLD", 2)
    Recipe(model=Llama(), data=Toy("stories"), tokenizer=ByteBPE(), objective=CLM()).trainer(runs=tmp_path)
    assert told.args.ddp_find_unused_parameters
