"""Character models of tinyshakespeare's size, as whole processes: a bare PyTorch loop, `char_gpt`, `char_llama`.

`python tests/benchmarks/char_gpt.py --data shakespeare.txt`. The bare loop is what nanoGPT does on a CPU: 4 blocks of width
128 without biases, random crops of 64 characters, batches of 12, fused AdamW, 20 batches of each split every 250 steps.
The sides take turns, each in a process of its own; the held-out loss is over every character of the last tenth.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RECIPES = Path(__file__).parents[2] / "recipes"
LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12
GOAL = 1.88
"""The held-out loss that nanoGPT's setting reaches."""


def main() -> None:
    """Measures the sides named on the command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("sides", nargs="*", default=["bare", "char_gpt", "char_llama"], help="bare, or recipes")
    made.add_argument("--data", required=True, help="a text file")
    made.add_argument("--steps", type=int, default=2000, help="of the bare loop and of char_gpt")
    made.add_argument("--repeats", type=int, default=1)
    made.add_argument("--set", action="append", default=[], help="an override for the recipes, option=value")
    made.add_argument("--out", help="where the JSON goes")
    made.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.bare:
        print(json.dumps(bare(Path(options.data).read_text(encoding="utf-8"), options.steps)))
        return
    found = []
    for repeat in range(options.repeats):
        for side in options.sides:
            found.append({"side": side, "repeat": repeat, **measured(side, options)})
            print("  ".join(f"{name} {value}" for name, value in found[-1].items()), flush=True)
    if options.out:
        Path(options.out).write_text(json.dumps(found, indent=2))


def measured(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """One side in a process of its own: wall and CPU seconds from its start to its end, and what it reports."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as runs:
        if side == "bare":
            words = [__file__, "--bare", f"--data={options.data}", f"--steps={options.steps}"]
        else:
            steps = [f"training.steps={options.steps}"] * (side == "char_gpt")
            data = [f"data={Path(options.data).absolute()}", "data.rows=files"]
            words = ["-m", "smolrecipes", str(RECIPES / f"{side}.py"), *data, *steps, *options.set, "--runs", runs]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        told = json.loads(done.stdout.splitlines()[-1]) if side == "bare" else of_run(Path(runs) / "last")
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), **told}


def of_run(folder: Path) -> dict[str, Any]:
    """What a run left in its folder: milliseconds per step between two logs (the median), steps, held-out losses."""
    results = json.loads((folder / "results.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    logs = [line for line in lines if "loss" in line]
    times = sorted((b["time"] - a["time"]) / (b["step"] - a["step"]) for a, b in zip(logs, logs[1:]))
    curve = {line["step"]: [round(line["eval_loss"], 4), line["time"]] for line in lines if "eval_loss" in line}
    step = round(1000 * times[len(times) // 2], 1)
    return {
        "ms_per_step": step,
        "steps": results["steps"],
        "held_out": round(results["after"]["loss"], 4),
        "reached": reached(curve),
        "curve": curve,
    }


def reached(curve: dict[int, list[float]]) -> list[float]:
    """The step and the seconds of training at which the held-out loss was first seen at GOAL or below; empty where it never was."""
    return next(([step, seconds] for step, (loss, seconds) in curve.items() if loss <= GOAL), [])


class Block(nn.Module):
    """Pre-norm attention and feed-forward layer, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_ffn = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (rows, positions, width)."""
        rows, positions, _ = x.shape
        heads = self.qkv(self.before_attention(x)).view(rows, positions, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).reshape(rows, positions, WIDTH)
        x = x + self.out(mixed)
        return x + self.down(F.gelu(self.up(self.before_ffn(x))))


class Model(nn.Module):
    """GPT-2 without biases: learned positions, tied embedding, residual projections scaled down."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """The mean loss. ids, targets: (rows, positions)."""
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = self.norm(x) @ self.tokens.weight.T
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def bare(text: str, steps: int) -> dict[str, Any]:
    """Trains on the first nine tenths; the loss over the whole rest comes last."""
    torch.manual_seed(1337)
    letters = {letter: index for index, letter in enumerate(sorted(set(text)))}
    ids = torch.tensor([letters[letter] for letter in text])
    train, held_out = ids[: int(0.9 * len(ids))], ids[int(0.9 * len(ids)) :]
    model = Model(len(letters))
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if (w.dim() > 1) is flat], "weight_decay": 0.1 * flat} for flat in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    times, curve, began = [], {}, time.perf_counter()
    for step in range(steps + 1):
        if step % 250 == 0:
            losses = [round(estimate(model, part), 4) for part in (train, held_out)]
            curve[step] = [losses[1], round(time.perf_counter() - began, 1)]
        if step == steps:
            break
        start = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss = model(*crops(train))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(time.perf_counter() - start)
    step_ms = round(1000 * sorted(times)[len(times) // 2], 1)
    found = {"ms_per_step": step_ms, "steps": steps, "held_out": round(whole(model, held_out), 4)}
    return {**found, "reached": reached(curve), "curve": curve}


def rate(step: int, steps: int) -> float:
    """Up to 1e-3 over 100 steps, then down to 1e-4 by half a cosine."""
    if step < 100:
        return 1e-3 * (step + 1) / 101
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / (steps - 100))) * 9e-4


def crops(ids: Tensor) -> tuple[Tensor, Tensor]:
    """A batch of random pieces and the characters that follow each of theirs."""
    starts = torch.randint(len(ids) - CONTEXT, (BATCH,)).tolist()
    return torch.stack([ids[s : s + CONTEXT] for s in starts]), torch.stack(
        [ids[s + 1 : s + 1 + CONTEXT] for s in starts]
    )


@torch.no_grad()
def estimate(model: Model, ids: Tensor) -> float:
    """The mean loss of 20 batches."""
    return sum(float(model(*crops(ids))) for _ in range(20)) / 20


@torch.no_grad()
def whole(model: Model, ids: Tensor) -> float:
    """The mean loss of every character but the first, in pieces side by side."""
    total = 0.0
    for start in range(0, len(ids) - 1, CONTEXT):
        piece = ids[start : start + CONTEXT + 1]
        total += float(model(piece[None, :-1], piece[None, 1:])) * (len(piece) - 1)
    return total / (len(ids) - 1)


if __name__ == "__main__":
    main()
