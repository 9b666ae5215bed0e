from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes.data.toy import COLUMNS, Toy
from smolrecipes.errors import RecipeError

TASKS = tuple(COLUMNS)
NESTED = {"messages", "prompt", "chosen", "rejected", "answers"}


def rows(task: str, count: int = 1000, **options: Any) -> list[dict[str, Any]]:
    return list(Toy(task, rows=count, **options))


def content(row: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in row.items() if key != "origin"}, sort_keys=True)


@pytest.mark.parametrize("task", TASKS)
def test_loads_canonical_columns(task: str) -> None:
    dataset = Toy(task, rows=30).load()
    assert dataset.column_names == [*COLUMNS[task], "origin"] and len(dataset) == 30
    assert dataset[17]["origin"] == f"toy:{task}:17"
    assert dataset.info.description == f"toy {task}: 30 rows, English and Italian"
    assert list(dataset) == rows(task, 30)  # Arrow adds no empty keys and loses nothing
    for name in set(dataset.column_names) & NESTED:
        assert type(dataset.features[name]).__name__ == "Json"


@settings(max_examples=40)
@given(st.sampled_from(TASKS), st.integers(1, 40), st.integers(0, 99))
def test_fewer_rows_are_a_prefix(task: str, count: int, seed: int) -> None:
    assert rows(task, count, seed=seed) == rows(task, 40, seed=seed)[:count]


def test_same_rows_in_another_process() -> None:
    code = """
import sys, json
from smolrecipes.data.toy import Toy
for task in sys.argv[1:]:
    for row in Toy(task, rows=50):
        print(json.dumps(row))
"""
    paths = os.pathsep.join(sys.path)
    found = set()
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
        found.add(subprocess.run([sys.executable, "-c", code, *TASKS], env=env, capture_output=True, check=True).stdout)
    assert [json.loads(line) for line in found.pop().splitlines()] == [row for task in TASKS for row in rows(task, 50)]
    assert not found


def test_seeds_and_languages_change_rows() -> None:
    first = {content(row) for row in rows("stories", 300)}
    assert not first & {content(row) for row in rows("stories", 300, seed=1)}
    english = " ".join(row["text"] for row in rows("stories", 300, languages=("en",)))
    assert "è" not in english and " the " in english


@pytest.mark.parametrize("task", TASKS)
def test_exact_duplicates_are_rare(task: str) -> None:
    made = [content(row) for row in rows(task, 5000)]
    assert 1 - len(set(made)) / len(made) < 0.01


@pytest.mark.parametrize("task", TASKS)
def test_text_is_tidy(task: str) -> None:
    for row in rows(task):
        text = content(row).replace('", "', "")
        assert "  " not in text and " ." not in text and ".." not in text and "{}" not in text, text


def test_importing_it_is_light() -> None:
    code = "import sys, smolrecipes.data.toy; print([m for m in ('torch', 'datasets') if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("story", {}, "Toy.task"),
        ("stories", {"rows": 0}, "Toy.rows"),
        ("stories", {"languages": ()}, "Toy.languages"),
        ("stories", {"languages": ("en", "en")}, "Toy.languages"),
        ("stories", {"languages": ("fr",)}, "Toy.languages"),
        ("translations", {"languages": ("it",)}, "Toy.languages"),
    ],
)
def test_mistakes_are_sentences(task: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        Toy(task, **options)


def test_identity_follows_the_rows() -> None:
    assert Toy("chat").fingerprint() == Toy("chat", rows=len(Toy("chat").load())).fingerprint()
    different = [Toy("chat", rows=5), Toy("chat", rows=6), Toy("chat", rows=5, seed=1), Toy("stories", rows=5)]
    assert len({toy.fingerprint() for toy in different}) == 4
