"""A run whose rows went through steps of a recipe file is used by its folder, but for making those rows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from finished import command

from smolrecipes import Piped
from smolrecipes.origin import recipe_of
from smolrecipes.transforms.elsewhere import Elsewhere

OWN = """
from typing import Any
from smolrecipes import SFT, ByteBPE, Decoding, DropDuplicates, Files, Keep, Llama, Outcome, Recipe, Training, Transform

def short(row: dict[str, Any]) -> bool:
    return len(row["messages"][0]["content"]) < 40

class Mark(Transform, name="mark"):
    def treat(self, row: dict[str, Any]) -> Outcome:
        return Outcome(row)

recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=300), model=Llama(layers=1, hidden=32, heads=2), objective=SFT(),
    data=Files("rows.jsonl").pipe(Keep(short), Mark(), DropDuplicates()), validation=6,
    training=Training(steps=1, global_batch_size=4, max_length=64, rehearse=False), decoding=Decoding(max_new_tokens=4),
)
"""


def test_a_run_with_steps_of_a_recipe_file_is_evaluated_and_exported_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"user": f"number {n}?", "assistant": "yes"} for n in range(24)]
    for name in ("rows", "other"):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("own.py").write_text(OWN)
    assert command(monkeypatch, "run", "own.py") == 0
    recipe = recipe_of(Path("runs/last/model"))
    assert recipe and isinstance(recipe.data, Piped) and recipe.data.steps[:2] == (
        Elsewhere("keep", "own:short"), Elsewhere("mark", "a recipe file, as class Mark"),
    )  # fmt: skip
    capsys.readouterr()
    assert command(monkeypatch, "eval", "runs/last", "--with", "likelihood", "--data", "other.jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == 24
    assert command(monkeypatch, "eval", "runs/last", "--with", "likelihood") == 2
    assert "the step 'keep' with own:short, which the run's folder does not hold" in " ".join(
        capsys.readouterr().err.split()
    )
    assert command(monkeypatch, "eval", "own.py", "--with", "likelihood", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == 6
    assert command(monkeypatch, "export", "runs/last", "--to", "safetensors") == 0, capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("hi\n"))
    assert command(monkeypatch, "chat", "runs/last") == 0, capsys.readouterr().err
