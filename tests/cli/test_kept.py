"""Rows that a run has prepared are found again by all that looks at the run, wherever it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smolrecipes import CLM, ByteBPE, DropDuplicates, Files, Likelihood, Llama, Recipe, Training, run
from smolrecipes.evaluation import rows_of
from smolrecipes.prove.child import POSSIBLE


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run whose rows went through a step."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "rows.txt").write_text("\n".join(f"row {n % 30} of a few words" for n in range(60)), encoding="utf-8")
    made = Recipe(
        model=Llama(layers=1, hidden=16, heads=2), tokenizer=ByteBPE(vocab_size=300), objective=CLM(), validation=5,
        data=Files(str(folder / "rows.txt"), rows="lines").pipe(DropDuplicates()),
        training=Training(steps=1, max_length=32, global_batch_size=4, rehearse=False),
    )  # fmt: skip
    return run(made, runs=folder / "runs")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder than the run was started in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(trained: Any) -> dict[str, int]:
    """What lies beside the runs, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (trained.folder.parent / ".cache").iterdir()}


def test_rows_that_were_held_out(trained: Any, elsewhere: Path) -> None:
    before = kept(trained)
    last = trained.folder.parent / "last"
    for folder in (trained.model, last / "model"):
        assert len(rows_of(Likelihood(), folder, trained.recipe)) == 5
    assert not [*elsewhere.iterdir()] and kept(trained) == before


@pytest.mark.parametrize(
    "command",
    ["tokens", pytest.param("prove", marks=pytest.mark.skipif(not POSSIBLE, reason="only Linux forks"))],
)
def test_commands(command: str, trained: Any, elsewhere: Path, cli: Any) -> None:
    before = kept(trained)
    done = cli(command, str(trained.folder))
    assert (done.code, done.err) == (0, "") and not [*elsewhere.iterdir()]
    assert before.items() <= kept(trained).items()
