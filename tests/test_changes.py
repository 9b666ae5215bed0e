"""A changed recipe or changed data is another run, and what changed is said."""

from __future__ import annotations

import json
from pathlib import Path

from powercut import RECIPE

from smolrecipes import Files, run
from smolrecipes.changes import changes
from smolrecipes.run import place

SHORT = RECIPE.replace(training=RECIPE.training.replace(steps=2))


def test_what_changed_is_said(tmp_path: Path) -> None:
    first = run(SHORT, runs=tmp_path)
    assert not changes(SHORT, first.folder)
    other = SHORT.replace(seed=3, training=SHORT.training.replace(learning_rate=0.5))
    said = changes(other, place(other, tmp_path).folder)
    assert said == f"another run than {first.folder.name}: training.learning_rate 0.01 → 0.5, seed 0 → 3"
    foreign = SHORT.replace(title="elsewhere")
    assert not changes(foreign, tmp_path / "elsewhere-00000000")


def test_other_rows_in_the_same_file_are_said(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"

    def written(word: str) -> None:
        file.write_text("\n".join(json.dumps({"text": f"{word} number {n} is here"}) for n in range(30)))

    written("the")
    recipe = SHORT.replace(data=Files(str(file)))
    first = run(recipe, runs=tmp_path / "runs")
    written("a")
    now = place(recipe, tmp_path / "runs").folder
    assert now != first.folder
    assert changes(recipe, now) == f"another run than {first.folder.name}: data has other content"
