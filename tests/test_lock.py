"""One launch at a time on a run, whatever becomes of the other process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smolrecipes import RecipeError
from smolrecipes.lock import alone

HOLD = """
import sys
from pathlib import Path
from smolrecipes.lock import alone

with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A second Python that holds the run until it is told to end, or killed."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_run_that_another_process_holds_is_refused_until_that_ends(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "tiny-0a1b2c3d"
    with another_process(folder) as process:
        with pytest.raises(RecipeError) as refused, alone(folder):
            pass
        said = rf"{re.escape(str(folder))}: process {process.pid} on \S+, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, is training it; "
        assert re.match(said, str(refused.value)) and "--runs" in str(refused.value)
        with alone(folder.with_name("other-0a1b2c3d")):  # another run is free
            pass
        process.communicate("")
    with alone(folder):
        pass
    assert not folder.parent.exists(), "nothing was made, so nothing is left"


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "tiny-0a1b2c3d"
    with another_process(folder) as process:
        process.kill()
        process.wait()
    assert list(folder.parent.iterdir()), "killed, it could not tidy up"
    with alone(folder):
        folder.mkdir()
    assert list(folder.parent.iterdir()) == [folder]
    with alone(folder):
        with pytest.raises(RecipeError, match=f"process {os.getpid()} on"), alone(folder):
            pass
        with pytest.raises(RecipeError, match="is training it"), alone(folder):  # a refusal does not set it free
            pass
