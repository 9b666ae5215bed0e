"""Every file of a checkpoint damaged in four ways: each run passes over it and ends with the undisturbed weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from powercut import DAMAGE, checkpoints, child, trained, undisturbed, unfinished, weights

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="these tests fork")
FILES = (
    "chat_template.jinja", "config.json", "generation_config.json", "manifest.json", "model.safetensors", "optimizer.pt", "rng_state.pth",
    "scheduler.pt", "tokenizer.json", "tokenizer_config.json", "trainer_state.json", "training_args.bin",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(tmp_path_factory.mktemp("whole"))


def last(runs: Path) -> Path:
    return checkpoints(runs) / "checkpoint-8"


def test_these_are_the_files(whole: Path) -> None:
    assert {path.name for path in last(whole).iterdir()} == set(FILES)


@pytest.mark.parametrize("way", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_it_ends_with_the_undisturbed_weights(name: str, way: str, whole: Path, tmp_path: Path) -> None:
    runs = unfinished(whole, tmp_path / "runs")
    DAMAGE[way](last(runs) / name)
    assert child(lambda: trained(runs)) == 0
    assert weights(runs) == weights(whole)
