from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smolrecipes.cli import COMMANDS, REPORT
from smolrecipes.errors import RecipeError, TrainingStopped

RUN = importlib.import_module("smolrecipes.run")
RECIPE = """
from smolrecipes import CLM, Llama, Recipe, Toy

recipe = Recipe(model=Llama(), data=Toy("stories"), objective=CLM())
"""


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The recipes that would have been run, with their options."""
    found: list[Any] = []
    monkeypatch.setattr(RUN, "run", lambda recipe, **options: found.append((recipe, options)))
    return found


def test_every_command_has_help(cli: Any) -> None:
    done = cli("--help")
    assert done.code == 0 and all(name in done.out for name in COMMANDS)
    for name in COMMANDS:
        done = cli(name, "--help")
        assert done.code == 0 and "Usage: smolrecipes" in done.out
    assert cli().out == cli("--help").out


def test_a_recipe_alone_is_run_with_its_overrides(cli: Any, runs: list[Any]) -> None:
    Path("mine.py").write_text(RECIPE, encoding="utf-8")
    done = cli("mine.py", "training.steps=5", "data=a.txt", "--runs", "elsewhere", "--fresh")
    assert (done.code, done.err) == (0, "")
    assert done.out == ""
    recipe, options = runs.pop()
    assert (recipe.title, recipe.training.steps) == ("mine", 5)
    assert (options["runs"], options["fresh"]) == (Path("elsewhere"), True)
    assert "mine.py training.steps=5" in options["command"]
    assert cli("orpo_lora").code == 0
    assert runs.pop()[0].title == "orpo_lora"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.py"], "error: gone.py: there is no such file"),
        (["ends.py"], "error: ends.py:1: no licence"),
        (["exits.py"], "error: exits.py:2: it ends by sys.exit(0) before there is a recipe"),
        (["orpo_lora", "--frsh"], "error: run has no option '--frsh'; did you mean '--fresh'?"),
        (["show", "orpo_lora", "--jsn"], "error: show has no option '--jsn'; did you mean '--json'?"),
        (["--versoin"], "error: smolrecipes has no option '--versoin'; did you mean '--version'?"),
        (["run", "x", "--zzz"], "error: run has no option '--zzz'; 'smolrecipes run --help' shows how"),
        (["run"], "error: run: missing argument 'RECIPE'; 'smolrecipes run --help' shows how"),
        (["run", "x", "--processes", "0"], "error: run: invalid value for '--processes'"),
        (["run", "x", "--runs"], "error: run: option '--runs' requires an argument"),
        (["broken.py"], "error: broken.py:1: '(' was never closed"),
        (["empty.py"], "error: empty.py: there is no `recipe` in it"),
        (["orpo_lor"], "error: no recipe named 'orpo_lor'; did you mean 'orpo_lora'?"),
        (["orpo_lora", "objective.bta=1"], "error: objective.bta: ORPO has no option 'bta'; did you mean 'beta'?"),
        (["orpo_lora", "objective.beta=x"], "error: objective.beta: should be a valid number"),
        (["orpo_lora", "objective"], "error: 'objective' is not an override; write option=value"),
        (["orpo_lora", "model=lama"], "error: model: 'lama' is no registered architecture"),
        (["shwo", "orpo_lora"], "error: 'shwo' is neither a command nor a recipe; did you mean 'smolrecipes show'?"),
        (["show", "gone.json"], "error: gone.json: there is no such stored recipe"),
        (["list", "objectve"], "error: there is no kind 'objectve'; did you mean 'objective'?"),
        (["new", "broken"], "error: broken.py is there already and is not overwritten"),
        (["chat", __file__], f"error: {__file__}: it is a file; name a run, a checkpoint or a folder with a model"),
        (["chat", "gone"], "error: gone: there is no such run or folder"),
        (["orpo_lora", "--runs", "empty.py"], "error: --runs empty.py: it is a file; name a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_exit_2(cli: Any, runs: list[Any], arguments: list[str], sentence: str) -> None:
    Path("broken.py").write_text("recipe = (", encoding="utf-8")
    Path("empty.py").touch()
    Path("ends.py").write_text("raise SystemExit('no licence')", encoding="utf-8")
    Path("exits.py").write_text("import sys\nsys.exit(0)", encoding="utf-8")
    done = cli(*arguments)
    assert done.code == 2
    assert done.err.startswith(sentence)
    assert done.err.count("\n") == 1 and "Traceback" not in done.err and done.out == ""
    assert runs == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 / 0", "acme 0.3) cannot be imported: ZeroDivisionError"),
        ("def smolrecipes_register(): ...", "there is no hook"),
    ],
)
def test_a_broken_plugin_is_one_sentence_and_exit_2(cli: Any, install: Any, text: str, sentence: str) -> None:
    install("acme", "0.3", "acme", text)
    done = cli("list")
    assert done.code == 2 and sentence in done.err and done.err.count("\n") == 1


def test_wrong_usage_is_exit_2(cli: Any) -> None:
    for arguments in (["--nonsense"], ["run"], ["run", "orpo_lora", "--processes", "0"], ["list", "data", "more"]):
        done = cli(*arguments)
        assert done.code == 2 and "Traceback" not in done.err


@pytest.mark.parametrize(("error", "code"), [(RecipeError("no"), 2), (TrainingStopped("no"), 1)])
def test_the_code_is_the_error_s_own(cli: Any, monkeypatch: pytest.MonkeyPatch, error: RecipeError, code: int) -> None:
    monkeypatch.setattr(RUN, "run", _raising(error))
    done = cli("orpo_lora")
    assert (done.code, done.err) == (code, "error: no\n")


def test_an_interrupt_is_130(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RUN, "run", _raising(KeyboardInterrupt()))
    stopped = cli("orpo_lora")
    assert stopped.code == 130
    assert "the same command goes on" in stopped.err


def test_of_a_command_that_trains_nothing_an_interrupt_is_one_word(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolrecipes.registry.registry", _raising(KeyboardInterrupt()))
    stopped = cli("list")
    assert (stopped.code, stopped.err) == (130, "stopped\n")


def test_a_mistake_of_ours_keeps_its_traceback(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RUN, "run", _raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        cli("orpo_lora")


def test_another_rank_speaks_only_when_it_fails_alone(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("smolrecipes.__main__.time.sleep", waited.append)
    monkeypatch.setenv("RANK", "1")
    assert cli("gone.py").err == "error on rank 1: gone.py: there is no such file\n"
    assert waited and waited[0] > 1


def test_a_launched_process_leaves_the_sentence_to_who_launched_it(
    cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(REPORT, str(tmp_path / "report.json"))
    done = cli("gone.py")
    assert (done.code, done.err) == (2, "")
    reported = json.loads((tmp_path / "report.json").read_text())
    assert reported == {"code": 2, "sentence": "error: gone.py: there is no such file"}


def test_our_warnings_are_sentences(install: Any, tmp_path: Path) -> None:
    site = install("acme", "0.3", "acme", "import transformers")
    (site / "transformers.py").touch()
    done = _python_m(tmp_path, "list", "--plugins")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: plugin 'acme' (acme 0.3) imports transformers at import time")
    assert done.stderr.count("\n") == 1


def test_python_m_gives_the_same_code_and_sentence(tmp_path: Path) -> None:
    done = _python_m(tmp_path, "gone.py")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: gone.py: there is no such file\n")


def _python_m(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smolrecipes", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60)


def _raising(error: BaseException) -> Any:
    def run(*_: Any, **__: Any) -> None:
        raise error

    return run
