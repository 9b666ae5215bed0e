"""What a run keeps of the making of its rows, and that other rows are neither trained on nor evaluated unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import (
    SFT,
    ByteBPE,
    Callback,
    DropDuplicates,
    Files,
    FixText,
    Likelihood,
    Llama,
    Recipe,
    RecipeError,
    Training,
    run,
)
from smolrecipes.evaluation import evaluate, subject_of


class PowerCut(Callback):
    """Ends the process, as it were, after three steps."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt


def recipe(folder: Path, **changes: Any) -> Recipe:
    rows = [{"user": f"number {n}?", "assistant": "yes"} for n in range(24)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Recipe(
        model=Llama(layers=1, hidden=32, heads=2),
        tokenizer=ByteBPE(vocab_size=300),
        data=Files(str(folder / "rows.jsonl")).pipe(FixText(), DropDuplicates()),
        objective=SFT(),
        training=Training(steps=6, global_batch_size=4, max_length=64, rehearse=False, save_every=2),
        validation=6,
        **changes,
    )


def test_rows_that_another_version_of_a_step_made_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(recipe(tmp_path, callbacks=(PowerCut(),)), runs=tmp_path / "runs")
    (folder,) = (one for one in (tmp_path / "runs").iterdir() if (one / "lineage.json").exists())
    before = json.loads((folder / "lineage.json").read_text())["data"], (folder / "data.md").read_bytes()
    with monkeypatch.context() as upgraded:
        upgraded.setattr(FixText, "packages", ("ftfy", "numpy"))
        with pytest.raises(RecipeError, match=r"began with, from FixText\(\) on, .* --fresh starts over"):
            run(recipe(tmp_path), runs=tmp_path / "runs")
    assert before == (json.loads((folder / "lineage.json").read_text())["data"], (folder / "data.md").read_bytes())
    done = run(recipe(tmp_path), runs=tmp_path / "runs")
    assert done.finished and len(evaluate(Likelihood(), subject_of(done.model)).origins) == 6
    monkeypatch.setattr(FixText, "packages", ("ftfy", "numpy"))
    with pytest.raises(RecipeError, match=r"was trained on, from FixText\(\) on, .*give the evaluator data"):
        evaluate(Likelihood(), subject_of(done.model))


def test_a_run_of_before_keys_were_kept_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(recipe(tmp_path, callbacks=(PowerCut(),)), runs=tmp_path / "runs")
    (file,) = (tmp_path / "runs").glob("*/lineage.json")
    known = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in known.items() if name != "data"}))
    assert run(recipe(tmp_path), runs=tmp_path / "runs").finished
    assert json.loads(file.read_text())["data"] == known["data"]
