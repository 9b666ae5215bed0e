"""How long commands take to start: `python tests/benchmarks/startup.py [light] [run]`; medians of whole processes.

`light`: the commands that train nothing, and bare Python. `run`: where the time of a run goes until its first step, by
itself and through `accelerate launch`, in seconds of the clock and of the process's cores; nothing is cached.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIGHT = {
    "python -c pass": ["-c", "pass"],
    "smolrecipes --help": ["-m", "smolrecipes", "--help"],
    "smolrecipes list": ["-m", "smolrecipes", "list"],
    "smolrecipes show orpo_lora": ["-m", "smolrecipes", "show", "orpo_lora"],
}
FIRST_STEP = [
    str(Path(__file__).with_name("first_step.py")),
    "run",
    "char_gpt",
    "training.steps=2",
    "training.threads=1",
]
RUNS = {
    "smolrecipes run": FIRST_STEP,
    "accelerate launch": ["-m", "accelerate.commands.launch", *FIRST_STEP],
}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main() -> None:
    """Prints what is asked for; both without a word."""
    for word in sys.argv[1:] or ("light", "run"):
        {"light": light, "run": run}[word]()


def light() -> None:
    """A line per command."""
    for name, command in LIGHT.items():
        times = []
        for _ in range(8):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
            times.append(time.perf_counter() - start)
        print(f"{name:28} {statistics.median(times[1:]):.3f} s  ({min(times[1:]):.3f} to {max(times[1:]):.3f})")


def run() -> None:
    """A table per way to start: parts in the order in which they begin."""
    for name, command in RUNS.items():
        found = [first_step(command) for _ in range(4)][1:]
        print(f"\n| {name} | seconds | of its cores |\n|---|---|---|")
        for part in found[0]:
            clock, cores = (statistics.median(one[part][which] for one in found) for which in (0, 1))
            print(f"| {part} | {clock:.2f} | {cores:.2f} |")
        clock, cores = (statistics.median(sum(p[which] for p in one.values()) for one in found) for which in (0, 1))
        print(f"| to the first step | {clock:.2f} | {cores:.2f} |")


def first_step(command: list[str]) -> dict[str, list[float]]:
    """What `first_step.py` tells, in a folder in which nothing is cached."""
    root = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory() as folder:
        environment = {**ENVIRONMENT, "PYTHONPATH": root, "SMOLRECIPES_STARTED": str(time.time())}
        words = [sys.executable, *command]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
