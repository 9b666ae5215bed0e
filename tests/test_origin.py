"""Where a model came from: its run and its base, found from a model, a checkpoint or an export, also of the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from finished import command

from smolrecipes import (
    SFT,
    ByteBPE,
    Chats,
    Classify,
    Decoding,
    Files,
    Forgetting,
    Likelihood,
    Llama,
    Pretrained,
    Recipe,
    RecipeError,
    Run,
    Toy,
    Trained,
    Training,
    run,
)
from smolrecipes.__main__ import main
from smolrecipes.evaluation import beside, evaluate, subject_of
from smolrecipes.origin import base_of, recipe_of, run_of

STORIES = Toy("stories", rows=5)


def short(folder: Path, name: str, **changes: Any) -> Recipe:
    rows = [{"user": f"{name} {n}?", "assistant": "yes" if n % 2 else "no"} for n in range(24)]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {"data": Files(str(folder / f"{name}.jsonl")), "objective": SFT(), "validation": 6}
    training = Training(steps=2, global_batch_size=4, max_length=64, rehearse=False, save_every=1)
    return Recipe(**{**given, "training": training, "decoding": Decoding(max_new_tokens=4), "title": name, **changes})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("origin")
    base = short(folder, "first", model=Llama(layers=1, hidden=32, heads=2), tokenizer=ByteBPE(vocab_size=300))
    judges = (Forgetting(data=STORIES), Classify())
    return run(short(folder, "second", model=Trained(base), evaluators=judges), runs=folder / "runs")


def test_a_model_a_checkpoint_and_an_export_are_their_run_s(tuned: Run) -> None:
    checkpoint = next((tuned.folder / "checkpoints").glob("checkpoint-*"))
    for place in (tuned.model, checkpoint, tuned.folder / "exports" / "some" / "file.gguf"):
        assert run_of(place) == tuned.folder and recipe_of(place) == tuned.recipe
    assert run_of(tuned.folder.parent / "other" / "model") is None
    found = evaluate(Likelihood(), subject_of(checkpoint))
    assert len(found.origins) == 6 and found.origins[0].startswith("second.jsonl")


def test_the_base_is_the_one_that_it_began_with_whatever_became_of_its_data(tuned: Run) -> None:
    first = next(tuned.folder.parent.glob("first-*"))
    for change in ("other", None):
        data = tuned.folder.parent.parent / "first.jsonl"
        data.write_text(change + data.read_text()) if change else data.unlink()
        base = base_of(tuned.model, tuned.recipe)
        assert base is not None and Path(base.path) == first / "model"
    assert base_of(first / "model", recipe_of(first / "model")) is None


def test_beside_its_base_what_compares_by_itself_stands_alone(
    tuned: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "eval", str(tuned.folder), "--against", "base", "--json") == 0
    forgetting, classes = json.loads(capsys.readouterr().out)
    assert forgetting["evaluator"] == "forgetting" and "against" not in forgetting
    assert classes["against"]["model"].endswith("model") and "first-" in classes["against"]["model"]


def test_by_its_name_the_recipe_s_own_evaluator_is_meant(
    tuned: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "eval", str(tuned.folder), "--with", "forgetting", "--rows", "3", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["options"] == repr(Forgetting(data=STORIES, max_rows=3)) and found["rows"] == 3
    assert command(monkeypatch, "eval", str(tuned.folder), "--with", "preferences", "--with", "likelihood") == 2
    said = capsys.readouterr()
    assert "Preferences needs prompt" in said.err and "loss" not in said.out


def test_a_base_of_the_hub_is_asked_at_its_revision(
    tuned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, commit = tmp_path / "hub" / "models--org--tiny", "0123456789abcdef" * 2 + "01234567"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "old").write_text(commit, encoding="utf-8")
    shutil.copytree(base_of(tuned.model, tuned.recipe).path, home / "snapshots" / commit)  # type: ignore[union-attr]
    for name, value in (("HF_HUB_CACHE", str(tmp_path / "hub")), ("HF_HUB_OFFLINE", True)):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    recipe = short(tmp_path, "third", model=Pretrained("org/tiny", revision="old"))
    made = run(recipe.replace(evaluators=(Forgetting(data=STORIES),)), runs=tmp_path / "runs")
    told = made.results["evaluations"][repr(Forgetting(data=STORIES))]
    assert told["before"] == pytest.approx(tuned.results["evaluations"][repr(Forgetting(data=STORIES))]["before"])
    subject = subject_of(made.model)
    assert subject.base is not None and subject.base.revision == "old"
    assert evaluate(Likelihood(), beside(subject, subject.base)).numbers["loss"] > 0


def test_what_fails_at_the_end_keeps_nothing_else_from_being_made(tmp_path: Path) -> None:
    recipe = short(tmp_path, "fourth", model=Llama(layers=1, hidden=32, heads=2), tokenizer=ByteBPE(vocab_size=300))
    recipe = recipe.replace(evaluators=(Forgetting(data=STORIES), Likelihood()))
    with pytest.raises(RecipeError, match="(?s)began with no other model.*The model is trained, in"):
        run(recipe, runs=tmp_path / "runs")
    results = json.loads(next((tmp_path / "runs").glob("*/results.json")).read_text())
    assert list(results["evaluations"]) == ["Likelihood()"]


def test_rows_that_are_too_long_are_left_out_with_a_word(
    tmp_path: Path, tuned: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["good", "bad"]
    rows = [{"text": "fine " * (900 if n == 3 else 2), "label": answers[n % 2]} for n in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = Chats(Files(str(tmp_path / "rows.jsonl")))
    for judge in (Classify(data=data), Classify(data=data, by="generation")):
        found = evaluate(judge, subject_of(tuned.model))
        assert len(found.origins) == 5 and "rows.jsonl:4" not in found.origins
        assert "1 of 6 rows are longer than" in capsys.readouterr().out


OWN = """
from typing import Any
from smolrecipes import SFT, Answers, ByteBPE, Decoding, Files, Llama, Recipe, Training

class Polite(Answers):
    def grade(self, answer: str, row: dict[str, Any]) -> dict[str, float]:
        return {"polite": float("please" in answer.lower())}

recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=300), model=Llama(layers=1, hidden=32, heads=2), data=Files("rows.jsonl"), objective=SFT(),
    training=Training(steps=1, global_batch_size=4, max_length=64, rehearse=False), validation=6,
    evaluators=(Polite(),), decoding=Decoding(max_new_tokens=4),
)
"""


def test_a_task_of_one_s_own_in_a_recipe_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"user": f"number {n}?", "assistant": "yes"} for n in range(24)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("own.py").write_text(OWN)
    monkeypatch.setattr("sys.argv", ["smolrecipes", "run", "own.py"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None) and "polite: polite 0" in capsys.readouterr().out
    assert command(monkeypatch, "eval", "own.py", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["evaluator"] == "polite"
    assert command(monkeypatch, "eval", "runs/last", "--with", "likelihood", "--out", "rows.out") == 0
    lines = [json.loads(line) for line in Path("rows.out").read_text().splitlines()]
    assert len(lines) == 6 and lines[0]["evaluator"] == "likelihood" and lines[0]["scores"]["tokens"] > 0
    assert command(monkeypatch, "eval", "runs/last", "--with", "speed", "--rows", "3") == 2
    assert "speed brings its own questions" in capsys.readouterr().err


def test_labelled_rows_are_asked_as_the_run_s_own_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("own", 0), ("other", 1)):
        rows = [{"text": f"it was {'good' if n % 2 else 'bad'} {n + 100 * seed}", "label": n % 2} for n in range(24)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = Chats(Files(str(tmp_path / "own.jsonl")), system="Which?", answers={"0": "negative", "1": "positive"})
    model = {"model": Llama(layers=1, hidden=32, heads=2), "tokenizer": ByteBPE(vocab_size=300)}
    made = run(short(tmp_path, "fifth", **model).replace(data=data), runs=tmp_path / "runs")
    found = evaluate(Classify(data=Files(str(tmp_path / "other.jsonl"))), subject_of(made.model))
    assert {row["right"] for row in found.scores.shown} == {"negative", "positive"}
    assert "asked as the run's own were" in capsys.readouterr().out
