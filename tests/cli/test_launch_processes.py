from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from smolrecipes.cli import REPORT, launch
from smolrecipes.cli import run as command

LAUNCHER = """
import json, os, pathlib, sys
print("a warning of a library", file=sys.stderr, flush=True)
report = {report}
if report:
    pathlib.Path(os.environ[{name!r}]).write_text(json.dumps(report))
print("Traceback (most recent call last): of the launcher", file=sys.stderr, flush=True)
sys.exit({code})
"""


def _launched(monkeypatch: pytest.MonkeyPatch, code: int, report: Any = None) -> int:
    text = LAUNCHER.format(report=repr(report), name=REPORT, code=code)
    monkeypatch.setattr(launch, "_command", lambda processes, arguments: [sys.executable, "-c", text])
    return launch.launch(2, ["orpo_lora"])


def test_our_code_and_sentence_survive_the_launcher(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    assert _launched(monkeypatch, 1, {"code": 2, "sentence": "error: no"}) == 2
    said = capfd.readouterr().err
    assert said.endswith("error: no\n") and said.count("error: no") == 1
    assert "of the launcher" not in said


def test_what_nobody_reported_is_shown_whole(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    assert _launched(monkeypatch, 7) == 7
    assert capfd.readouterr().err == "a warning of a library\nTraceback (most recent call last): of the launcher\n"


def test_success_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _launched(monkeypatch, 0) == 0


def test_two_processes_never_go_through_cpu_mode() -> None:
    words = launch._command(2, ["orpo_lora", "seed=1"])
    assert words[-5:] == ["-m", "smolrecipes", "run", "orpo_lora", "seed=1"]
    assert "--multi_gpu" in words and "--cpu" not in words
    assert words[words.index("--num_processes") + 1] == "2"


def test_run_launches_after_checking_what_was_asked_for(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(command, "_launch", lambda *what: asked.append(what) or 3)
    assert cli("orpo_lora", "seed=1", "--processes", "2", "--runs", "r", "--fresh").code == 3
    assert asked == [(2, ["orpo_lora", "seed=1", "--runs", "r", "--fresh"])]
    assert cli("orpo_lora", "sede=1", "--processes", "2").code == 2
    assert len(asked) == 1


def test_the_number_of_processes_is_told_to_them(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    text = "import os; print(os.environ['SMOLRECIPES_PROCESSES'])"
    monkeypatch.setattr(launch, "_command", lambda processes, arguments: [sys.executable, "-c", text])
    assert launch.launch(3, []) == 0
    assert capfd.readouterr().out == "3\n"
    assert REPORT not in os.environ
