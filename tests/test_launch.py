"""Real launches: a chain of three stages in 1 and 2 processes, DDP and ZeRO-2, is one experiment; stages train once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smolrecipes import RecipeError
from smolrecipes import launch as processes

RECIPE = """
from smolrecipes import CLM, DPO, ORPO, SFT, ByteBPE, Llama, LoRA, Recipe, Toy, Trained, Training

short = Training(steps=3, global_batch_size=6, micro_batch_size=2, max_length=128, log_every=1, learning_rate=1e-2)
base = Recipe(
    tokenizer=ByteBPE(vocab_size=300),
    model=Llama(layers=1, hidden=32, heads=2),
    data=Toy("stories", rows=60),
    objective=CLM(),
    training=short,
    validation=5,
    title="base",
)
chat = Recipe(
    model=Trained(base), data=Toy("chat", rows=20), objective=SFT(), training=short, validation=5, title="chat"
)
recipe = Recipe(
    model=Trained(chat),
    data=Toy("preferences", rows=16),
    objective=ORPO(),
    adapter=LoRA(r=4),
    training=short.replace(steps=None, max_length=256),  # 11 rows in batches of 6: the last one leaves a rank short
    validation=5,
)
"""
LAUNCHERS = {
    "alone": ["-m", "smolrecipes"],
    "ddp": [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--mixed_precision",
        "no",
        "-m",
        "smolrecipes",
    ],
    "zero2": [
        "-m",
        "accelerate.commands.launch",
        "--use_deepspeed",
        "--zero_stage",
        "2",
        "--num_processes",
        "2",
        "--mixed_precision",
        "no",
        "-m",
        "smolrecipes",
    ],
}


def launch(kind: str, folder: Path, *more: str, recipe: str = RECIPE) -> subprocess.CompletedProcess[str]:
    (folder / "tiny.py").write_text(recipe)
    command = [sys.executable, *LAUNCHERS[kind], "tiny.py", "training.device=cpu", *more]
    if kind != "alone":
        command[4:4] = ["--main_process_port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def results(folder: Path) -> dict[str, dict[str, float]]:
    found = {}
    for file in sorted((folder / "runs").glob("*-????????/results.json")):
        numbers = json.loads(file.read_text())
        for when in ("before", "after"):
            found[f"{file.parent.name.rsplit('-', 1)[0]} {when}"] = numbers[when]
        lines = map(json.loads, (file.parent / "metrics.jsonl").read_text().splitlines())
        (mean,) = (line["train_loss"] for line in lines if "train_loss" in line)
        found[f"{file.parent.name.rsplit('-', 1)[0]} trained"] = {"train_loss": mean}
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    done = launch("alone", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_chain_leaves_what_the_readme_promises(alone: Path) -> None:
    runs = alone / "runs"
    names = sorted(p.name.rsplit("-", 1)[0] for p in runs.glob("*-????????"))
    assert names == ["base", "chat", "tiny"]
    assert (runs / "last").resolve().name.startswith("tiny-")
    last = (runs / "last").resolve()
    for name in (
        "recipe.json",
        "lineage.json",
        "metrics.jsonl",
        "model/model.safetensors",
        "adapter/adapter_config.json",
    ):
        assert (last / name).exists(), name
    found = json.loads((last / "results.json").read_text())
    assert len(found["samples"]) == 3
    assert 0 < found["trained_parameters"] < found["parameters"]
    assert {"loss", "nll", "odds_ratio_loss", "reward_accuracy", "reward_margin"} <= set(found["after"])


def test_again_costs_no_training(alone: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (alone / "runs").rglob("*.safetensors")}
    done = launch("alone", alone)
    assert done.returncode == 0
    assert "already trained" in done.stdout
    assert before == {p: p.stat().st_mtime_ns for p in (alone / "runs").rglob("*.safetensors")}


@pytest.mark.parametrize("kind", ["ddp", "zero2"])
def test_two_processes_are_the_same_experiment(kind: str, alone: Path, tmp_path: Path) -> None:
    if kind == "zero2":
        pytest.importorskip("deepspeed")
        (base,) = (alone / "runs").glob("base-*")  # two of three stages are enough of ZeRO-2
        shutil.copytree(base, tmp_path / "runs" / base.name)
    done = launch(kind, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 processes" in done.stdout
    ours, theirs = results(tmp_path), results(alone)
    assert ours.keys() == theirs.keys()
    for stage, numbers in theirs.items():
        assert ours[stage] == pytest.approx(numbers, rel=2e-3, abs=2e-4), stage


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    done = launch("ddp", tmp_path, "objective.bta=1")
    assert done.returncode != 0
    assert done.stderr.count("did you mean 'beta'") == 1


SPOILT = """
import dataclasses, os
from smolrecipes import SFT, ByteBPE, Llama, Recipe, Training

steps = []


class Spoilt(SFT):
    # its loss jumps in the eighth step, and is nan on the second rank alone from the tenth on

    def loss(self, model, batch):
        steps.append(batch)
        found = super().loss(model, batch)
        by = 100.0 if len(steps) == 8 else float("nan") if len(steps) >= 10 and os.environ["RANK"] == "1" else 1.0
        return dataclasses.replace(
            found, terms={name: dataclasses.replace(one, sum=one.sum * by) for name, one in found.terms.items()}
        )


recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=270), model=Llama(layers=1, hidden=32, heads=2), data="rows.jsonl", objective=Spoilt(),
    training=Training(steps=12, global_batch_size=4, max_length=64, log_every=1, learning_rate=1e-5, rehearse=False),
    validation=0,
)
"""


def test_the_rows_of_every_rank_are_named(tmp_path: Path) -> None:
    """By the watch for a loss that jumps, and by the guard for a gradient that is not finite on one rank alone."""
    rows = [{"user": f"Say {n}.", "assistant": f"{n}!"} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = launch("ddp", tmp_path, recipe=SPOILT)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for line in (r"step 8: the loss jumped to .*; their rows: (.*)", r"error: step 10: .*; the batch held ([^;]*);"):
        (named,) = re.findall(line, said)
        assert sorted(named.split(", ")) == [f"rows.jsonl:{n}" for n in range(1, 5)], said


SHORT_OF_MEMORY = """
import os
from smolrecipes import memory

taken, step = [], memory._idle_step


def short(trainer):
    import torch

    taken.append(trainer.args.per_device_train_batch_size)
    if os.environ["RANK"] == "1" and taken[-1] > 1:
        raise torch.OutOfMemoryError
    step(trainer)


memory._idle_step = short
"""


def test_a_rank_that_alone_runs_out_of_memory_leaves_no_other_waiting(tmp_path: Path) -> None:
    """All take smaller micro-batches, and what one rank asks the others ask as well, in the rehearsal and after it."""
    done = launch("ddp", tmp_path, "model.recipe.model.recipe.training.steps=1", recipe=RECIPE + SHORT_OF_MEMORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("micro-batches of 1 rows, since 2 do not fit") == 3


def test_deepspeed_that_cpu_would_drop_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    with pytest.raises(RecipeError, match="--cpu makes accelerate drop DeepSpeed without a word"):
        processes.join("cpu")


def test_the_threads_that_somebody_chose_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", chosen.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # as every recipe's arguments leave it
    monkeypatch.setattr(processes, "BY_ACCELERATE", "")
    processes.use_cores(None)
    assert chosen == []
    monkeypatch.setattr(processes, "BY_ACCELERATE", "no")  # the launcher's own 1 is nobody's choice
    processes.use_cores(None)
    processes.use_cores(3)
    assert len(chosen) == 2 and chosen[1] == 3
