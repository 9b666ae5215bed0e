"""Runs `smolrecipes` until its first step and tells where the time went: `python first_step.py run char_gpt`.

Prints a line of JSON: for each part, seconds of the clock and of this process's cores. A part is a function of ours, or the
imports of a package; what lies inside another part counts there alone. SMOLRECIPES_STARTED is when the command began.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import runpy
import sys
import time
from typing import Any

PACKAGES = (
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "peft",
    "trl",
    "pandas",
    "sklearn",
    "scipy",
    "matplotlib",
)
"""Imports that are told apart; those inside of one of them, numpy's say, count as its own."""
PARTS = {
    "smolrecipes.load": {"load": "recipe"},
    "smolrecipes.launch": {"join": "joining processes"},
    "smolrecipes.assemble": {"load_rows": "rows"},
    "smolrecipes.arguments": {"options": "training arguments", "accepted": "training arguments"},
    "smolrecipes.build": {"build_tokenizer": "tokenizer", "build_model": "model"},
    "smolrecipes.prepare": {"prepare": "tokenising"},
    "smolrecipes.memory": {"rehearse": "rehearsal"},
    "smolrecipes.callbacks.peak": {"matmul_peak": "speed of products"},
    "smolrecipes.callbacks.throughput": {"Throughput.on_step_begin": "first step"},
    "smolrecipes.trainer": {"RecipeTrainer.__init__": "trainer", "RecipeTrainer.evaluation_loop": "first evaluation"},
}
"""What is timed: module, function or method, and what it is called."""

spent: dict[str, list[float]] = {}
stack = ["else"]
last = (time.time(), time.process_time())


def switch() -> None:
    """What passed since the last switch belongs to the part at hand."""
    global last
    now = (time.time(), time.process_time())
    sums = spent.setdefault(stack[-1], [0.0, 0.0])
    for clock, (before, after) in enumerate(zip(last, now)):
        sums[clock] += after - before
    last = now


def timed(function: Any, part: str) -> Any:
    """A function whose time counts for `part`; the last part of all tells and ends."""

    @functools.wraps(function)
    def act(*args: Any, **kwargs: Any) -> Any:
        switch()
        if part == "first step":
            print(json.dumps(spent), flush=True)
            os._exit(0)
        stack.append(part)
        try:
            return function(*args, **kwargs)
        finally:
            switch()
            stack.pop()

    return act


def watch_imports() -> None:
    """Times the imports of PACKAGES, and the functions of PARTS as soon as their modules are there."""
    find_and_load = importlib._bootstrap._find_and_load  # type: ignore[attr-defined]

    def noted(name: str, import_: Any) -> Any:
        package = name.partition(".")[0]
        load = timed(find_and_load, f"import {package}") if package in PACKAGES else find_and_load
        module = load(name, import_)
        for path, part in PARTS.pop(name, {}).items():
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, sys.modules[name])
            setattr(owner, attribute, timed(getattr(owner, attribute), part))
        return module

    importlib._bootstrap._find_and_load = noted  # type: ignore[attr-defined]


if __name__ == "__main__":
    spent["interpreter"] = [last[0] - float(os.environ["SMOLRECIPES_STARTED"]), last[1]]
    watch_imports()
    sys.argv[0] = "smolrecipes"
    runpy.run_module("smolrecipes", run_name="__main__", alter_sys=False)
