"""What the project promises itself on 2 CPU cores in float32, and whether the measurements reach it."""

from __future__ import annotations

import json
from math import inf
from statistics import median
from typing import Any, NamedTuple

LOSS, GRADIENTS = 1e-5, 1e-4


class Target(NamedTuple):
    """A number that was found, and what it should be."""

    what: str
    goal: str
    found: str
    reached: bool


SPEED = {
    ("sft_tiny_full", "trl"): 2.5,
    ("sft_tiny_lora", "trl"): 2.5,
    ("sft_tiny_full", "padded"): 1.5,
    ("sft_tiny_lora", "padded"): 1.7,
    ("orpo_tiny_lora", "trl"): 2.5,
    ("dpo_tiny_lora", "trl"): 2.5,
}
"""How many times faster ours should be, at a vocabulary of 32,000 and GSM8K's lengths."""
MEMORY = {("orpo_tiny_lora", "trl"): 0.15, ("dpo_tiny_lora", "trl"): 0.15}
"""What share of theirs our peak of memory should be at most."""
BARE, SLOW = 0.95, 0.2
"""Our share of the bare loop's speed where a step takes longer than so many seconds."""

WAITING = 0.01
"""The share of the time that training waits for data."""


TOKENISING = 0.9
"""Preparing plain text, as a share of the speed of `tokenizers` itself."""


def targets(cases: dict[str, Any], scripts: dict[str, Any]) -> list[Target]:
    """Every target of what was measured, at its real size."""
    real = {name: one for name, one in cases.items() if one["case"]["size"] != "toy"}
    found = []
    for name, one in real.items():
        against = one["summary"]["against"]
        for other, ratios in against.items():
            speed, memory = ratios["speed"][1], (ratios["memory"] or [None, None])[1]
            if other == "bare" and one["summary"]["ours"]["seconds"][1] > SLOW:
                found.append(at_least(f"{name}: speed of the bare loop's", BARE, speed))
            if (name, other) in SPEED:
                found.append(at_least(f"{name}: times {other}'s speed", SPEED[name, other], speed))
            if (name, other) in MEMORY and memory is not None:
                found.append(at_most(f"{name}: share of {other}'s peak memory", MEMORY[name, other], memory))
        shares = [run["ours"].get("shares", {}) for run in one["runs"] if "ours" in run]
        if waiting := [each["time_data"] for each in shares if "time_data" in each]:
            found.append(at_most(f"{name}: share of the time that waits for data", WAITING, median(waiting)))
    return [*found, *exactness(cases), *of_scripts(scripts)]


def of_scripts(scripts: dict[str, Any]) -> list[Target]:
    """Those of the benchmarks that are scripts of their own."""
    found = []
    if "tokenise" in scripts:
        shares = json.loads(scripts["tokenise"]["printed"])["text"]["prepare / encode_batch"]["seconds"]
        found.append(at_least("plain text: speed of tokenizers' own", TOKENISING, shares[1]))
    turns: dict[int, dict[str, Any]] = {}
    for one in scripts.get("char_gpt", {}).get("results") or []:
        turns.setdefault(one["repeat"], {})[one["side"]] = one
    for side in ("char_gpt", "char_llama"):
        pairs = [(turn[side], turn["bare"]) for turn in turns.values() if {side, "bare"} <= {*turn}]
        shares = [
            ours["reached"][1] / theirs["curve"][str(theirs["steps"])][1] for ours, theirs in pairs if ours["reached"]
        ]
        if pairs:
            found.append(
                at_most(
                    f"{side}: time until its loss is 1.88, of nanoGPT's whole", 1, median(shares) if shares else inf
                )
            )
    return found


def exactness(cases: dict[str, Any]) -> list[Target]:
    """That ours is the padded computation."""
    return [
        at_most(f"{name}: {what} against the padded computation", most, one["exact"]["ours"][what])
        for name, one in cases.items()
        if "exact" in one
        for what, most in (("loss", LOSS), ("gradients", GRADIENTS))
    ]


def at_least(what: str, goal: float, found: float) -> Target:
    """The more the better."""
    return Target(what, f"at least {goal}", f"{found:.3f}", found >= goal)


def at_most(what: str, goal: float, found: float) -> Target:
    """The less the better."""
    return Target(what, f"at most {goal:g}", f"{found:.3g}", found <= goal)
