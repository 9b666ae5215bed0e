"""What a stranger gives runs no code and writes nowhere but into its own folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from powercut import RECIPE, checkpoints

from smolrecipes import Pretrained, RecipeError, TrainingStopped, run
from smolrecipes.checkpoints import MANIFEST
from smolrecipes.files import digest
from smolrecipes.load import load_recipe
from smolrecipes.serialize import dumps


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    run(RECIPE, runs=runs)
    return runs


def model(runs: Path) -> Path:
    return next(folder for folder in runs.glob("*/model") if not folder.parent.is_symlink())


def test_weights_that_are_a_pickle_run_no_code(trained: Path, tmp_path: Path) -> None:
    stranger, made = tmp_path / "stranger", tmp_path / "made"
    shutil.copytree(model(trained), stranger)
    (stranger / "model.safetensors").unlink()
    torch.save({"weight": Evil(made)}, stranger / "pytorch_model.bin")
    with pytest.raises(RecipeError, match="a pickle that holds more than tensors, which smolrecipes never runs"):
        run(RECIPE.replace(model=Pretrained(str(stranger)), tokenizer=None), runs=tmp_path / "runs")
    command = [sys.executable, "-m", "smolrecipes", "chat", str(stranger)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, input="")
    assert done.returncode == 2 and "never runs" in done.stderr and "Traceback" not in done.stderr
    assert not made.exists()


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_from_elsewhere_runs_no_code(name: str, trained: Path, tmp_path: Path) -> None:
    runs, made = tmp_path / "runs", tmp_path / "made"
    shutil.copytree(trained, runs, symlinks=True)
    (model(runs).parent / "results.json").unlink()
    shutil.rmtree(checkpoints(runs) / "checkpoint-8")  # of the last step: no random numbers are read after it
    last = checkpoints(runs) / "checkpoint-6"
    torch.save({"state": Evil(made)}, last / name)
    manifest = json.loads((last / MANIFEST).read_text())
    manifest["files"][name] = [(last / name).stat().st_size, digest(last / name)]
    (last / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises((RecipeError, TrainingStopped), match="never runs"):
        run(RECIPE, runs=runs)
    assert not made.exists()


@pytest.mark.parametrize("title", ["../evil", "/tmp/evil", "a\\b", ".."])
def test_a_title_cannot_leave_the_folder_of_runs(title: str, tmp_path: Path) -> None:
    stored = tmp_path / "recipe.json"
    stored.write_text(json.dumps({**json.loads(dumps(RECIPE)), "title": title}))
    with pytest.raises(RecipeError, match=r"recipe.json: Recipe.title: it names a folder among the runs"):
        load_recipe(stored)


def test_metrics_are_appended_to_no_other_file(tmp_path: Path) -> None:
    stored = tmp_path / "recipe.json"
    callbacks = [{"use": "callback:metrics", "path": str(tmp_path / ".bashrc")}]
    stored.write_text(json.dumps({**json.loads(dumps(RECIPE)), "callbacks": callbacks}))
    with pytest.raises(RecipeError, match=r"must end with .jsonl"):
        load_recipe(stored)


@pytest.mark.parametrize("use", ["os.system", "objective:os.system", "smolrecipes.files:write_text"])
def test_a_stored_recipe_names_registered_components_only(use: str, tmp_path: Path) -> None:
    stored = tmp_path / "recipe.json"
    stored.write_text(json.dumps({**json.loads(dumps(RECIPE)), "objective": {"use": use, "command": "touch made"}}))
    with pytest.raises(RecipeError, match=r"recipe.json: "):
        load_recipe(stored)
