"""A project of its own, in a folder of its own: derives our recipes, brings a class, gets a plain Trainer, is type-checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import smolrecipes
from smolrecipes import Recipe, Trained, load_recipe, run

MINE = '''"""Our pairs, our margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.recipes.orpo_lora import recipe as orpo

from smolrecipes import ByteBPE, Decoding, Files, Llama, Loss, Mean, PairwiseObjective, Recipe

if TYPE_CHECKING:
    from torch import Tensor


class Margin(PairwiseObjective, name="margin"):
    """The chosen answer should be likelier than the rejected one, by a margin per token."""

    margin: float = 0.5
    """Nats per token."""

    def loss(self, model: Any, batch: dict[str, Tensor]) -> Loss:
        """Hinge loss of the difference."""
        pair = self.logps(model, batch)
        lacking = (self.margin - pair.chosen_mean + pair.rejected_mean).clamp(min=0)
        return Loss({"margin": Mean(lacking.sum(), "pairs")})


small = orpo.training.replace(epochs=None, steps=3, global_batch_size=4, max_length=64, log_every=1)
recipe: Recipe = orpo.replace(
    model=Llama(layers=1, hidden=32, heads=2),
    tokenizer=ByteBPE(vocab_size=300),
    data=Files("pairs.jsonl"),
    objective=Margin(margin=1.0),
    training=small,
    validation=2,
    decoding=Decoding(max_new_tokens=3),
    title="",
).override("adapter.r=2", "training.learning_rate=0.01")
'''
SCRIPT = """
from acme.recipes.mine import recipe
from smolrecipes import run

if __name__ == "__main__":
    print(run(recipe, runs="runs").model)
"""
CHECKED = """
from smolrecipes import ORPO, LoRA, Recipe, Toy, Trained, Training
from smolrecipes.recipes.orpo_lora import recipe as ours

fine = Recipe(model=Trained(ours), data=Toy("preferences"), objective=ORPO(beta=0.1), adapter=LoRA(r=8))
also: Recipe = ours.replace(objective=ORPO(), training=Training(epochs=2)).override("seed=1")
named: Recipe = Recipe(model="org/name", data="prefs.jsonl", objective=ORPO(engine="trl"), validation=0.1)
ORPO(bta=0.1)  # line 8
ORPO(beta="x")  # line 9
LoRA(r=8.5)  # line 10
Recipe(model="org/name", data="a.jsonl", objective=LoRA())  # line 11
ORPO(engine="tlr")  # line 12
Recipe(model="org/name", objective=ORPO())  # line 13
ORPO(0.1)  # line 14
"""
MYPY = """
[mypy]
strict = True
cache_dir = {cache}
[mypy-torch.*,transformers.*,datasets.*,trl.*,peft.*,accelerate.*,numpy.*,rich.*,typer.*,pluggy.*]
follow_imports = skip
ignore_missing_imports = True
[mypy-smolrecipes.*]
follow_imports = silent
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project with the package `acme`, which is importable there."""
    folder = tmp_path / "project"
    (folder / "acme" / "recipes").mkdir(parents=True)
    (folder / "acme" / "__init__.py").touch()
    (folder / "acme" / "recipes" / "__init__.py").touch()
    (folder / "acme" / "recipes" / "mine.py").write_text(MINE, encoding="utf-8")
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    pairs = [{"prompt": f"say {word}", "chosen": word, "rejected": word[::-1]} for word in words]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        del sys.modules[name]


@pytest.fixture
def mine(project: Path) -> Recipe:
    return load_recipe("acme.recipes.mine")


def test_a_project_s_recipe_is_loaded_by_its_import_path(mine: Recipe, project: Path) -> None:
    assert mine.title == "mine" and mine.adapter.r == 2 and mine.training.learning_rate == 0.01
    ours = load_recipe("orpo_lora")
    assert isinstance(ours.model, Trained) and mine.training.schedule == ours.training.schedule
    assert type(mine.objective).__name__ == "Margin" and mine.data == smolrecipes.Files("pairs.jsonl")
    assert load_recipe("acme.recipes.mine", ["objective.margin=2"]).objective.margin == 2.0
    with pytest.raises(smolrecipes.RecipeError, match="Margin has no option 'margn'; did you mean 'margin'"):
        mine.override("objective.margn=2")


def test_a_class_of_the_project_is_part_of_the_fingerprint(mine: Recipe, project: Path) -> None:
    from_file = load_recipe("acme/recipes/mine.py")
    assert from_file.fingerprint() == mine.fingerprint()
    edited = project / "acme" / "recipes" / "edited.py"
    edited.write_text(MINE.replace("self.margin -", "2 * self.margin -"), encoding="utf-8")
    assert load_recipe(edited).fingerprint() != mine.fingerprint()


def test_a_project_runs_its_recipe(mine: Recipe, project: Path) -> None:
    done = run(mine, runs=project / "runs")
    assert done.folder.parent == project / "runs" and done.folder.name.startswith("mine-")
    assert done.results["steps"] == 3 and "loss" in done.results["after"]
    stored = json.loads((done.folder / "recipe.json").read_text(encoding="utf-8"))
    assert stored["objective"]["use"] == "objective:margin" and stored["objective"]["margin"] == 1.0
    with pytest.raises(smolrecipes.RecipeError, match=r"'margin' was defined in .*load that recipe file instead"):
        load_recipe(done.folder)


@pytest.mark.parametrize("folder", [str, Path], ids=["text", "path"])
def test_a_project_gets_a_plain_trainer_and_trains_it(mine: Recipe, project: Path, folder: Callable[..., Any]) -> None:
    from transformers import Trainer, TrainerCallback

    class Seen(TrainerCallback):  # type: ignore[misc]
        steps = 0

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.steps += 1

    trainer, seen = mine.trainer(runs=folder(project / "runs")), Seen()
    assert isinstance(trainer, Trainer)
    trainer.add_callback(seen)
    trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    assert trainer.train().global_step == seen.steps == 3
    assert any(not old.equal(new) for old, new in zip(before, trained))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 3 and losses[0] > 0
    assert trainer.evaluate()["eval_loss"] > 0


def test_a_project_s_script_runs(project: Path, python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    path = os.pathsep.join([str(project), str(Path(__file__).parents[1])])
    done = python("train.py", cwd=project, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    model = Path(done.stdout.splitlines()[-1])
    assert (project / model / "config.json").is_file() and model.parts[0] == "runs"


def test_a_type_checker_knows_the_options(tmp_path: Path) -> None:
    """Wrong names and types in a recipe are errors before anything runs; right ones are not."""
    pytest.importorskip("mypy")
    package = Path(smolrecipes.__file__).parent
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(package, tmp_path / "smolrecipes", ignore=ignore)  # with the recipes inside, as it is installed
    shutil.copytree(package.parent / "recipes", tmp_path / "smolrecipes" / "recipes", ignore=ignore)
    (tmp_path / "checked.py").write_text(CHECKED, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(MYPY.format(cache=tmp_path / "cache"), encoding="utf-8")
    (tmp_path / "acme.py").write_text(MINE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "checked.py", "acme.py"],
        capture_output=True, text=True, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert done.returncode == 1 and all(line.startswith("checked.py:") for line in errors), done.stdout
    found = {int(line.split(":")[1]) for line in errors}
    assert found == set(range(8, 15)), done.stdout
    assert '"bta"' in errors[0] and '"float"' in errors[1]
