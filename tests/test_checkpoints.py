"""Checkpoints: whole or not there, recognised when damaged, gone on from to the same weights."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from powercut import DAMAGE, RECIPE, checkpoints, child, dying, trained, undisturbed, unfinished, weights

from smolrecipes import Callback, run
from smolrecipes.checkpoints import MANIFEST, damage, newest, step
from smolrecipes.errors import TrainingStopped

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="these tests fork")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs' folder of a run that nobody disturbed."""
    return undisturbed(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("way", DAMAGE)
def test_a_damaged_file_is_found_whichever_it_is(whole: Path, tmp_path: Path, way: str) -> None:
    last, passed = newest(checkpoints(whole))
    assert last and step(last) == 8 and not passed
    names = [path.relative_to(last) for path in last.rglob("*") if path.is_file()]
    assert len(names) > 8
    for name in names:
        folder = tmp_path / str(name).replace("/", "-")
        shutil.copytree(last.parent, folder)
        if (last / name).stat().st_size or way not in ("cut", "emptied", "flipped"):
            DAMAGE[way](folder / last.name / name)
            found, wrong = newest(folder)
            assert found == folder / "checkpoint-6", name
            assert len(wrong) == 1 and (str(name) in wrong[0] or MANIFEST in wrong[0])


def test_what_is_wrong_is_said(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-8"
    shutil.copytree(checkpoints(whole) / "checkpoint-8", folder)
    size = (folder / "optimizer.pt").stat().st_size
    DAMAGE["cut"](folder / "optimizer.pt")
    assert damage(folder) == f"optimizer.pt has {size - 1:,} bytes of {size:,}"
    (folder / MANIFEST).write_text("{", encoding="utf-8")
    assert damage(folder) == "manifest.json cannot be read (JSONDecodeError)"


def test_a_run_passes_over_a_damaged_checkpoint_and_ends_with_the_same_weights(
    whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = unfinished(whole, tmp_path / "runs")
    DAMAGE["flipped"](checkpoints(runs) / "checkpoint-8" / "optimizer.pt")
    trained(runs)
    said = capfd.readouterr().out
    assert "passes over" in said and "checkpoint-8: optimizer.pt is not what was written" in said
    assert "checkpoint-6" in said.partition("resumes from")[2]
    assert weights(runs) == weights(whole)
    assert not damage(checkpoints(runs) / "checkpoint-8")


def test_from_the_checkpoint_of_the_last_step_no_step_is_taken(whole: Path, tmp_path: Path) -> None:
    """transformers would take a ninth; a cosine schedule hides it, since its rate is 0 there."""
    runs = unfinished(whole, tmp_path / "runs")
    assert trained(runs).results["steps"] == 8
    assert {step(each) for each in checkpoints(runs).iterdir()} == {6, 8}
    assert weights(runs) == weights(whole)


def test_where_no_checkpoint_is_whole_it_begins_again_and_says_so(
    whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = unfinished(whole, tmp_path / "runs")
    for each in checkpoints(runs).iterdir():
        DAMAGE["gone"](each / "trainer_state.json")
    trained(runs)
    assert "no checkpoint is whole: it starts again from the first step" in capfd.readouterr().out
    assert weights(runs) == weights(whole)


@pytest.mark.parametrize("at", [3, 12, 17])
def test_killed_in_a_save_it_goes_on_to_the_same_weights(whole: Path, tmp_path: Path, at: int) -> None:
    assert child(dying(tmp_path, at)) == -9
    assert child(lambda: trained(tmp_path)) == 0
    assert weights(tmp_path) == weights(whole)


def test_killed_at_some_instant_it_goes_on_to_the_same_weights(whole: Path, tmp_path: Path) -> None:
    assert child(lambda: trained(tmp_path), seconds=0.7) in (0, -9)
    assert child(lambda: trained(tmp_path)) == 0
    assert weights(tmp_path) == weights(whole)


class FullDisk(Callback):
    """After some steps no file may grow beyond 100 kB, as on a disk that is full."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))


class FullAtTheEnd(Callback):
    """From the end of training on, no file may grow beyond 20 kB."""

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))


@pytest.mark.skipif(sys.platform == "win32", reason="limits are of POSIX")
def test_a_full_disk_is_a_sentence_and_what_was_saved_stays(whole: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace(callbacks=(*RECIPE.callbacks, FullDisk()))
    report = tmp_path / "said"

    def act() -> None:
        try:
            run(recipe, runs=tmp_path)
        except TrainingStopped as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            report.write_text(str(error), encoding="utf-8")

    assert child(act) == 0
    said = report.read_text(encoding="utf-8")
    assert "checkpoint-4 could not be written" in said and "checkpoint-2 is whole" in said and "Make room" in said
    last, passed = newest(checkpoints(tmp_path))
    assert last and step(last) == 2 and not passed


@pytest.mark.skipif(sys.platform == "win32", reason="limits are of POSIX")
def test_a_disk_that_is_full_at_the_end_is_a_sentence_and_the_same_command_ends_it(tmp_path: Path) -> None:
    report = tmp_path / "said"

    def act() -> None:
        try:
            run(RECIPE.replace(callbacks=(*RECIPE.callbacks, FullAtTheEnd())), runs=tmp_path)
        except TrainingStopped as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            report.write_text(str(error), encoding="utf-8")

    assert child(act) == 0
    said = report.read_text(encoding="utf-8")
    assert "what was trained could not be written" in said and "give the same command again" in said
    last, passed = newest(checkpoints(tmp_path))
    assert last and step(last) == 8 and not passed


def test_the_manifest_names_every_file(whole: Path) -> None:
    for each in checkpoints(whole).iterdir():
        known = json.loads((each / MANIFEST).read_text(encoding="utf-8"))["files"]
        assert {path.name for path in each.iterdir()} == {*known, MANIFEST}


def test_as_many_are_kept_as_asked_and_the_damaged_go(whole: Path) -> None:
    assert sorted(map(step, checkpoints(whole).iterdir())) == [6, 8]
