"""Real signals to real processes: a run saves, stops, says how to go on, and ends with 0; a second signal ends it at once."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from smolrecipes.checkpoints import newest, step

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")

RECIPE = """
from smolrecipes import *
recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=280), model=Llama(layers=1, hidden=32, heads=2), data=Toy("stories", rows=24),
    objective=CLM(), validation=4, title="long",
    training=Training(steps=100_000, global_batch_size=4, max_length=32, log_every=5, save_every=10, rehearse=False),
)
"""
SMOLRECIPES = (sys.executable, "-m", "smolrecipes")
ACCELERATE = (
    sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1", "--mixed_precision", "no",
    "--dynamo_backend", "no", "-m", "smolrecipes",
)  # fmt: skip


def started(folder: Path, words: Sequence[str]) -> subprocess.Popen[str]:
    """The command, once it has taken some steps; what it prints goes to a file that can be read meanwhile."""
    (folder / "long.py").write_text(RECIPE, encoding="utf-8")
    said = folder / "said.txt"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE")}
    with said.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**plain, "COLUMNS": "300"},
        )
    for _ in range(600):
        if "step 15/" in said.read_text(encoding="utf-8"):
            return process
        assert process.poll() is None, said.read_text(encoding="utf-8")
        time.sleep(0.1)
    raise AssertionError(said.read_text(encoding="utf-8"))


def stopped(folder: Path, reason: str) -> str:
    """The last line, which must say how the run ended; its newest checkpoint is of that step."""
    for _ in range(300):  # a worker may outlive its launcher
        lines = (folder / "said.txt").read_text(encoding="utf-8").strip().splitlines()
        found = [line for line in lines if line.startswith("runs/long-")]
        if found and "stopped (" in found[-1]:
            break
        time.sleep(0.1)
    said = re.search(rf"stopped \((?:{reason})\) after step (\d+) of 100,000, and saved; (.*)", found[-1])
    assert said, lines
    (checkpoints,) = folder.glob("runs/long-*/checkpoints")
    last, passed = newest(checkpoints)
    assert last and step(last) == int(said[1]) and not passed
    return said[2]


@pytest.mark.parametrize("after", ["smolrecipes.component", "smolrecipes.kinds", "smolrecipes.hookspecs"])
def test_an_interrupt_while_it_is_imported_ends_it_without_a_word(after: str) -> None:
    """Python itself says which module it has imported."""
    command = [sys.executable, "-X", "importtime", "-m", "smolrecipes", "list"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr and process.stdout
    lines = iter(process.stderr.readline, "")
    assert any(line.rstrip().endswith(f" {after}") for line in lines)
    process.send_signal(signal.SIGINT)
    said, told = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert said == "" and all(line.startswith("import time:") for line in told.splitlines())


def test_whoever_imports_it_keeps_python_s_own_interrupt(python: Any) -> None:
    """Also once the command line has begun."""
    asked = "import signal, smolrecipes; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert python("-c", asked).stdout == "True\n"
    begun = "import signal, smolrecipes.starting as s; signal.signal(signal.SIGINT, signal.SIG_DFL); s.begun(); "
    assert python("-c", begun + asked).stdout == "True\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_once_it_saves_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path, [*SMOLRECIPES, "run", "long.py", "training.learning_rate=0.01"])
    process.send_signal(number)
    assert process.wait(60) == 0
    assert stopped(tmp_path, number.name) == "to go on: python -m smolrecipes run long.py training.learning_rate=0.01"


def test_twice_it_ends_at_once(tmp_path: Path) -> None:
    process = started(tmp_path, [*SMOLRECIPES, "run", "long.py"])
    process.send_signal(signal.SIGSTOP)  # so that both wait for it
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) in (128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_several_processes_stop_together(tmp_path: Path) -> None:
    process = started(tmp_path, [*SMOLRECIPES, "run", "long.py", "--processes", "2"])
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(60) == 0
    assert stopped(tmp_path, "SIGTERM").endswith("--processes 2")


def test_workers_save_when_their_launcher_has_died(tmp_path: Path) -> None:
    process = started(tmp_path, [*ACCELERATE, "run", "long.py"])
    process.kill()
    process.wait(60)
    assert stopped(tmp_path, "the launcher has died") == "to go on, give the same command again"


WAITS = """
import os, pathlib, time
while "ACCELERATE_MIXED_PRECISION" in os.environ and not pathlib.Path("go").exists():
    pathlib.Path(f"here-{os.getpid()}").touch()
    time.sleep(0.05)
"""


@pytest.mark.parametrize(
    "words", [[*ACCELERATE, "run", "long.py"], [*SMOLRECIPES, "run", "long.py", "--processes", "2"]]
)
def test_workers_notice_a_launcher_that_died_before_training(tmp_path: Path, words: list[str]) -> None:
    """They wait in the recipe's file meanwhile, and stop after their first step."""
    import psutil

    (tmp_path / "long.py").write_text(WAITS + RECIPE, encoding="utf-8")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE")}
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=plain)
    end = time.monotonic() + 120
    try:
        while len(list(tmp_path.glob("here-*"))) < (2 if "--processes" in words else 1):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        others = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait(60)
        (tmp_path / "go").touch()
    _, alive = psutil.wait_procs(others, 120)
    assert not alive
    (checkpoints,) = tmp_path.glob("runs/long-*/checkpoints")
    last, passed = newest(checkpoints)
    assert last and step(last) == 1 and not passed


def test_it_saves_when_its_terminal_is_closed(tmp_path: Path) -> None:
    """Whatever it prints from then on has nowhere to go."""
    import pty

    (tmp_path / "long.py").write_text(RECIPE, encoding="utf-8")
    process, terminal = pty.fork()
    if not process:
        os.chdir(tmp_path)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup switches off for all that it starts
        os.execv(sys.executable, [*SMOLRECIPES, "run", "long.py", "training.log_every=1"])
    end, ended = time.monotonic() + 120, 0
    try:
        while not list(tmp_path.glob("runs/long-*/checkpoints/checkpoint-*")):
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 65536)
            assert time.monotonic() < end
        os.close(terminal)
        while not ended:
            ended, status = os.waitpid(process, os.WNOHANG)
            assert time.monotonic() < end, "it goes on"
            time.sleep(0.1)
    finally:
        if not ended:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    (checkpoints,) = tmp_path.glob("runs/long-*/checkpoints")
    last, passed = newest(checkpoints)
    assert last and step(last) >= 10 and not passed


def test_workers_save_when_the_command_that_asked_for_them_is_killed(tmp_path: Path) -> None:
    """Nobody is there to read what they say."""
    import psutil

    process = started(tmp_path, [*SMOLRECIPES, "run", "long.py", "--processes", "2", "training.save_every=1000"])
    others = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(60)
    _, alive = psutil.wait_procs(others, 60)
    assert not alive
    (checkpoints,) = tmp_path.glob("runs/long-*/checkpoints")
    last, passed = newest(checkpoints)
    assert last and 15 <= step(last) < 1000 and not passed
