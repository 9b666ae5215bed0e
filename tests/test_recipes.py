"""The recipes that ship: short, light, storable, and each trains to its end."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shrunk import overrides, stages

from smolrecipes import Run, load_recipe, run
from smolrecipes.registry import registry
from smolrecipes.run import place
from smolrecipes.serialize import dumps, loads

FILES = sorted(path for path in (Path(__file__).parents[1] / "recipes").glob("*.py") if path.stem != "__init__")
NAMES = [path.stem for path in FILES]
Python = Callable[..., "subprocess.CompletedProcess[str]"]
LIGHT = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; import smolrecipes.recipes.{}"


def code(path: Path) -> list[str]:
    """Lines that are not blank and not of the module's docstring."""
    text = path.read_text(encoding="utf-8")
    first = ast.parse(text).body[0]
    return [line for line in text.splitlines()[first.end_lineno :] if line.strip()]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_recipe_is_short_and_says_what_it_is_for(path: Path) -> None:
    assert len(code(path)) <= 15
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert said and len(said.splitlines()[0]) > 20


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_recipe_imports_smolrecipes_alone(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Import)
        if isinstance(node, ast.ImportFrom):
            assert node.module == "smolrecipes" or str(node.module).startswith("smolrecipes.recipes.")


def test_the_recipes_are_imported_without_torch(python: Python) -> None:
    done = python("-c", LIGHT.format(", smolrecipes.recipes.".join(NAMES)))
    assert (done.returncode, done.stderr) == (0, "")


def test_every_recipe_is_registered() -> None:
    assert registry().recipes() == {name: f"smolrecipes.recipes.{name}" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_the_same_after_storing_it(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    again = loads(dumps(recipe))
    assert again == recipe and again.fingerprint() == recipe.fingerprint() and repr(again) == repr(recipe)
    (tmp_path / "recipe.json").write_text(dumps(recipe), encoding="utf-8")
    assert load_recipe(tmp_path) == recipe


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def trained(runs: Path) -> dict[str, Run]:
    """Every recipe, tiny, in one folder of runs: the stages that two chains share are trained once."""
    return {name: run(load_recipe(name, overrides(name)), runs=runs) for name in sorted(NAMES, key=chain_length)}


def chain_length(name: str) -> int:
    return len(list(stages(load_recipe(name))))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains_to_its_end(name: str, trained: dict[str, Run]) -> None:
    done = trained[name]
    assert done.finished and done.folder.name.startswith(f"{name}-")
    found: dict[str, Any] = done.results
    assert found["steps"] == 2 and found["tokens"] > 0
    assert found["after"]["loss"] > 0 and found["before"]["loss"] != found["after"]["loss"]
    assert (done.model / "model.safetensors").is_file() and (done.model / "tokenizer_config.json").is_file()
    adapted = load_recipe(name).adapter is not None
    assert done.adapter.exists() is adapted and (found["trained_parameters"] < found["parameters"] / 2) is adapted
    for file in ("recipe.json", "lineage.json", "metrics.jsonl"):
        assert (done.folder / file).stat().st_size, file


def test_shared_stages_are_trained_once(trained: dict[str, Run], runs: Path) -> None:
    folders = [path.name for path in runs.iterdir() if (path / "recipe.json").is_file() and path.name != "last"]
    every = [stage for name in NAMES for _, stage in stages(load_recipe(name, overrides(name)))]
    assert sorted(folders) == sorted({place(stage, runs).folder.name for stage in every})
    assert {done.folder.name for done in trained.values()} <= set(folders)


def test_the_command_line_finds_the_same_runs(trained: dict[str, Run], runs: Path, python: Python) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*-*/results.json")}
    done = python("-m", "smolrecipes", "orpo_lora", *overrides("orpo_lora"), "--runs", str(runs))
    assert done.returncode == 0, done.stderr
    assert f"{trained['orpo_lora'].folder.name}: already trained, nothing to do" in done.stdout
    assert "reward" in done.stdout and str(trained["orpo_lora"].model) in done.stdout.replace("\n", "")
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*-*/results.json")} == before
