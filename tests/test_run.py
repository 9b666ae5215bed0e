"""run(): interrupted or not the same weights, one folder a recipe, and what stands in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import ByT5Tokenizer

from smolrecipes import CLM, ORPO, ByteBPE, Callback, Llama, Pretrained, Recipe, RecipeError, Run, Toy, Training, run
from smolrecipes.lineage import check_tokenizer
from smolrecipes.load import load_recipe
from smolrecipes.lock import alone
from smolrecipes.named import run_at
from smolrecipes.run import place

TRAINING = Training(
    steps=6, global_batch_size=4, max_length=32, learning_rate=1e-2, log_every=1, save_every=2, device="cpu"
)
RECIPE = Recipe(
    tokenizer=ByteBPE(vocab_size=280),
    model=Llama(layers=1, hidden=32, heads=2),
    data=Toy("stories", rows=24),
    objective=CLM(),
    training=TRAINING,
    validation=4,
    title="tiny",
)


class Interrupted(Exception):
    """What the power cut of these tests raises."""


SEEN: list[int] = []
"""The steps that `PowerCut` saw being taken."""


class PowerCut(Callback):
    """Ends the process, as it were, after some steps."""

    after: int = 5
    """Steps."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        SEEN.append(state.global_step)
        if state.global_step == self.after:
            raise Interrupted


def weights(done: Run) -> dict[str, torch.Tensor]:
    return load_file(done.model / "model.safetensors")


def steps(done: Run) -> list[int]:
    """The steps whose loss was logged, in order."""
    lines = (done.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["step"] for entry in map(json.loads, lines) if "loss" in entry]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(runs: Path) -> Run:
    """The recipe, trained without interruption."""
    return run(RECIPE, runs=runs)


def test_interrupted_and_run_again_it_is_the_same_model(
    whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    SEEN.clear()
    cut = RECIPE.replace(callbacks=(PowerCut(),))
    with pytest.raises(Interrupted):
        run(cut, runs=tmp_path)
    (folder,) = tmp_path.glob("tiny-*")
    assert not Run(folder, RECIPE).finished and not (folder / "model").exists()
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["checkpoint-2", "checkpoint-4"]
    capsys.readouterr()
    assert SEEN == [1, 2, 3, 4, 5]
    done = run(RECIPE.replace(callbacks=(PowerCut(after=7),)), runs=tmp_path)
    assert SEEN[5:] == [5, 6]
    assert done.folder == folder and done.finished and done.results["steps"] == 6
    assert f"resumes from {folder / 'checkpoints' / 'checkpoint-4'}" in capsys.readouterr().out.replace("\n", "")
    expected, found = weights(whole), weights(done)
    assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)
    assert steps(whole) == steps(done) == [1, 2, 3, 4, 5, 6]
    assert done.results["after"] == whole.results["after"]
    assert done.results["tokens"] == whole.results["tokens"]


def test_a_run_goes_on_with_the_tokenizer_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):  # also where it goes on and is interrupted once more
        with pytest.raises(Interrupted):
            run(RECIPE.replace(callbacks=(PowerCut(),)), runs=tmp_path)
    lineage = place(RECIPE, tmp_path).lineage
    began = json.loads(lineage.read_text(encoding="utf-8"))
    assert len(began["tokenizer"]["sha256"]) == 64
    began["tokenizer"]["tokenizers"] = "0.0.1"
    lineage.write_text(json.dumps(began), encoding="utf-8")
    with monkeypatch.context() as upgraded:
        upgraded.setattr(ByteBPE, "room", lambda self, size, least: size - 1)
        for _ in range(2):
            with pytest.raises(
                RecipeError, match=r"not the one that this run began with \(tokenizers 0.0.1 then, .* --fresh"
            ):
                run(RECIPE, runs=tmp_path)
    del began["tokenizer"]  # as runs were before it was written down
    lineage.write_text(json.dumps(began), encoding="utf-8")
    assert run(RECIPE, runs=tmp_path).finished


def test_a_tokenizer_that_was_saved_may_lie_elsewhere_when_a_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "lineage.json").write_text("{}", encoding="utf-8")
    for resumes, name in enumerate(("here", "there")):
        ByT5Tokenizer().save_pretrained(tmp_path / name)
        again = ByT5Tokenizer.from_pretrained(tmp_path / name)
        check_tokenizer(tmp_path / "lineage.json", again, resumes=bool(resumes))


def test_a_finished_run_is_found_and_fresh_keeps_it_aside(
    whole: Run, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = (whole.model / "model.safetensors").stat().st_mtime_ns
    assert run(RECIPE, runs=runs) == whole
    assert (whole.model / "model.safetensors").stat().st_mtime_ns == written
    assert "already trained, nothing to do" in capsys.readouterr().out
    before = weights(whole)
    again = run(RECIPE, runs=runs, fresh=True)
    (old,) = runs.glob(f"{whole.folder.name}.*")
    assert again.folder == whole.folder and (old / "model" / "model.safetensors").stat().st_mtime_ns == written
    assert (again.model / "model.safetensors").stat().st_mtime_ns > written
    assert all(torch.equal(before[name], value) for name, value in weights(again).items())
    assert f"the old run is kept as {old}" in capsys.readouterr().out.replace("\n", "")


def test_last_points_to_the_newest_run(whole: Run, runs: Path) -> None:
    other = run(RECIPE.override("training.steps=1", "seed=3"), runs=runs)
    assert (runs / "last").resolve() == other.folder.resolve()
    run(RECIPE, runs=runs)
    assert (runs / "last").resolve() == whole.folder.resolve()


def test_where_links_are_not_allowed_last_is_a_file_and_is_read_as_one(
    whole: Run, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError("no links here")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "symlink_to", refused)
        run(RECIPE, runs=runs)
    last = runs / "last"
    assert last.is_file() and not last.is_symlink()
    assert run_at(last) == whole.folder and run_at(whole.folder) == whole.folder
    assert load_recipe(last) == RECIPE
    changed: Any = load_recipe("orpo_lora", [f"model={last}"])
    assert changed.model == Pretrained(str(whole.model))
    last.write_text("gone-1234", encoding="utf-8")
    for use in (lambda: load_recipe(last), lambda: load_recipe("orpo_lora", [f"model={last}"])):
        with pytest.raises(RecipeError, match="last: the run that it names, .*gone-1234, is gone"):
            use()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.mkdir

    def refused(self: Path, *arguments: Any, **options: Any) -> None:
        if self.name.startswith("tiny-"):
            raise PermissionError(13, os.strerror(13))
        original(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(RecipeError, match=r"tiny-\w+: cannot write there \(Permission denied\); name another folder"):
        run(RECIPE, runs=tmp_path / "runs")


class Refusal(Callback):
    """Raises before the first step."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        raise Interrupted


def test_a_run_that_fails_before_its_first_step_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds text rows"):
        run(RECIPE.replace(objective=ORPO()), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    with pytest.raises(Interrupted):
        run(RECIPE.replace(callbacks=(Refusal(),)), runs=tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".cache"]


def test_a_run_that_is_being_trained_is_refused(tmp_path: Path) -> None:
    folder = place(RECIPE, tmp_path).folder
    with alone(folder), pytest.raises(RecipeError, match=f"{folder.name}: process {os.getpid()} on .* is training it"):
        run(RECIPE, runs=tmp_path)
    assert not folder.exists()


def test_the_results_hold_what_was_measured(whole: Run) -> None:
    found = whole.results
    assert {*found["before"], "baseline"} == found["after"].keys() >= {"loss"}
    assert found["after"]["loss"] < found["before"]["loss"]
    assert (found["steps"], found["parameters"], found["adapter_bytes"]) == (6, found["trained_parameters"], 0)
    assert found["rows"] == min(24, found["of"]) and found["seconds"] > 0
    assert 0 < found["tokens"] <= 6 * 4 * 32
    assert len(found["samples"]) == 3 and all(len(pair) == 2 for pair in found["samples"])


def test_preferences_report_the_reward_accuracy(tmp_path: Path) -> None:
    recipe = RECIPE.replace(data=Toy("preferences", rows=12), objective=ORPO()).override(
        "training.steps=1", "training.max_length=256", "decoding.max_new_tokens=2"
    )
    found = run(recipe, runs=tmp_path).results
    for moment in ("before", "after"):
        assert found[moment]["loss"] > 0
        assert found[moment]["reward_accuracy"] in [0, 0.25, 0.5, 0.75, 1]  # of the four held-out pairs
    assert found["before"] != found["after"]


def test_a_sample_that_fails_does_not_keep_a_trained_run_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **more: Any) -> Any:
        raise ValueError("no room")

    monkeypatch.setattr("smolrecipes.generate.generate", broken)
    made = run(RECIPE, runs=tmp_path)
    assert made.finished and all("(not asked: no room)" in answer for _, answer in made.results["samples"])


def test_a_plain_trainer_s_checkpoints_are_gone_on_from(tmp_path: Path) -> None:
    """`recipe.trainer()` writes into the run's folder, as whole as `run` does."""
    from smolrecipes.checkpoints import newest

    trainer = RECIPE.trainer(runs=tmp_path)
    trainer.train()
    last, passed = newest(Path(trainer.args.output_dir))
    assert last is not None and not passed


def test_going_on_adds_to_the_lineage_and_changes_nothing_in_it(tmp_path: Path) -> None:
    from smolrecipes import lineage

    file = tmp_path / "lineage.json"
    lineage.write(file, RECIPE, "the first")
    first = lineage.read(file)
    lineage.write(file, RECIPE, "the second")
    second = lineage.read(file)
    assert second.pop("resumed")[0]["command"] == "the second" and second == first


@pytest.mark.parametrize("damage", ["truncated", "missing", "flipped"])
def test_a_finished_model_that_was_damaged_is_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    done = run(RECIPE, runs=tmp_path)
    whole = {name: weight.clone() for name, weight in weights(done).items()}  # the file is mapped
    file = done.model / "model.safetensors"
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content[:100] if damage == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    again = run(RECIPE, runs=tmp_path)
    said = " ".join(capsys.readouterr().out.split())
    assert "model/model.safetensors" in said and "the model is made again from" in said
    assert all(torch.equal(weight, whole[name]) for name, weight in weights(again).items())
    assert list(again.folder.glob("model.2*")) and again.finished
    capsys.readouterr()
    run(RECIPE, runs=tmp_path)
    assert "already trained" in capsys.readouterr().out


def test_a_damaged_model_without_a_checkpoint_is_not_trained_anew_unasked(tmp_path: Path) -> None:
    done = run(RECIPE, runs=tmp_path)
    shutil.rmtree(done.folder / "checkpoints")
    (done.model / "config.json").write_text("{}")
    with pytest.raises(RecipeError, match="config.json has 2 bytes .* no whole checkpoint .* --fresh trains anew"):
        run(RECIPE, runs=tmp_path)
    assert done.finished and (done.model / "config.json").read_text() == "{}"
