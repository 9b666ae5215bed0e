"""Whole trainers, ours against TRL's on the same recipe: `python tests/benchmarks/against_trl.py orpo sft dpo`.

Each measurement is a process of its own: it trains a few steps to warm up, then times `steps` more. The two engines
take turns, so that a busy machine slows both; ratios are taken pair by pair. Results are printed and kept as JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

DATA = {"sft": "chat", "dpo": "preferences", "orpo": "preferences"}


def main() -> None:
    """Measures the objectives named on the command line."""
    options = parser().parse_args()
    if options.engine:
        print(json.dumps(measure(options, options.objectives[0])))
        return
    found: dict[str, Any] = {"machine": f"{platform.machine()}, {options.threads} threads", "versions": versions()}
    for objective in options.objectives:
        pairs = [
            {engine: child(options, objective, engine) for engine in ("smolrecipes", "trl")}
            for _ in range(options.repeats)
        ]
        found[objective] = summary(pairs)
        print(objective, json.dumps(found[objective]))
    if options.out:
        Path(options.out).write_text(json.dumps(found, indent=2))


def parser() -> argparse.ArgumentParser:
    """The options; sizes are those of the published table."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("objectives", nargs="+", choices=DATA)
    for name, value in (("vocab", 32_000), ("hidden", 256), ("layers", 4), ("rows", 8), ("steps", 6), ("threads", 2)):
        made.add_argument(f"--{name}", type=int, default=value)
    made.add_argument("--repeats", type=int, default=5)
    made.add_argument("--max-length", type=int, default=512)
    made.add_argument("--data", help="rows of your own instead of the generated ones")
    made.add_argument("--full", action="store_true", help="train every weight instead of a LoRA")
    made.add_argument("--out", help="where the JSON goes")
    made.add_argument("--engine", choices=("smolrecipes", "trl"), help=argparse.SUPPRESS)
    return made


def child(options: argparse.Namespace, objective: str, engine: str) -> dict[str, float]:
    """One measurement in a new process."""
    same = [f"--{n.replace('_', '-')}={v}" for n, v in vars(options).items() if isinstance(v, int) and n != "full"]
    more = [f"--data={options.data}"] * bool(options.data) + ["--full"] * options.full
    command = [sys.executable, __file__, objective, f"--engine={engine}", *same, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(options: argparse.Namespace, objective: str) -> dict[str, float]:
    """Seconds a step and the peak of memory above the level before training, in MiB."""
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        trainer = recipe(options, objective, Path(folder)).trainer(runs=folder)
        clock = Clock(options.steps)
        trainer.add_callback(clock)
        with Peak() as peak:
            trainer.train()
    return {"seconds_per_step": clock.seconds / options.steps, "peak_mib": peak.above}


def recipe(options: argparse.Namespace, objective: str, folder: Path) -> Any:
    """The recipe that both engines run: a Llama of these sizes, whose vocabulary is larger than its tokenizer needs."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from smolrecipes import DPO, ORPO, SFT, Files, LoRA, Pretrained, Recipe, Toy, Training

    rows = options.rows * (options.steps + 2)
    data = Files((options.data,)) if options.data else Toy(DATA[objective], rows=rows)  # type: ignore[arg-type]
    base(folder, data, LlamaForCausalLM, LlamaConfig, options)
    made = {"sft": SFT, "dpo": DPO, "orpo": ORPO}[objective](engine=options.engine)
    if objective == "orpo":
        made = made.replace(learn="prompt+answer")  # what TRL computes
    return Recipe(
        model=Pretrained(str(folder / "base")),
        data=data,
        validation=0,
        objective=made,
        adapter=None if options.full else LoRA(r=8),
        training=Training(
            steps=options.steps + 2,
            global_batch_size=options.rows,
            micro_batch_size=options.rows,
            max_length=options.max_length,
            device="cpu",
            save_every=10_000,
        ),
    )


def base(folder: Path, data: Any, model: Any, config: Any, options: argparse.Namespace) -> None:
    """A model folder with random weights."""
    import torch

    from smolrecipes import ByteBPE

    torch.manual_seed(0)
    tokenizer = ByteBPE(data, vocab_size=min(8192, options.vocab)).build(None)
    sizes = {"hidden_size": options.hidden, "num_hidden_layers": options.layers, "num_attention_heads": 4}
    built = model(
        config(
            vocab_size=options.vocab,
            intermediate_size=options.hidden * 3,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **sizes,
        )
    )
    built.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")


class Clock:
    """Times the steps after the first two."""

    def __init__(self, steps: int) -> None:
        self.seconds, self.steps = 0.0, steps

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts after the second step, stops after the last."""
        if state.global_step == 2:
            self.start = time.perf_counter()
        if state.global_step == self.steps + 2:
            self.seconds = time.perf_counter() - self.start


class Peak:
    """The most memory that the process held above its level at the start, in MiB."""

    def __enter__(self) -> Peak:
        import psutil

        self.process, self.done = psutil.Process(), False
        self.start = self.top = self.process.memory_info().rss
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self) -> None:
        """Looks every 5 ms."""
        while not self.done:
            self.top = max(self.top, self.process.memory_info().rss)
            time.sleep(0.005)

    def __exit__(self, *args: object) -> None:
        self.done = True
        self.thread.join()
        self.above = (self.top - self.start) / 2**20


def summary(pairs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians of each engine, and of the ratios pair by pair with their spread."""
    found: dict[str, Any] = {}
    for what in ("seconds_per_step", "peak_mib"):
        ratios = [pair["trl"][what] / pair["smolrecipes"][what] for pair in pairs]
        for engine in ("smolrecipes", "trl"):
            found[f"{engine} {what}"] = round(statistics.median(pair[engine][what] for pair in pairs), 4)
        found[f"trl / ours {what}"] = [round(r, 2) for r in (min(ratios), statistics.median(ratios), max(ratios))]
    return found


def versions() -> dict[str, str]:
    """What was measured."""
    return {name: version(name) for name in ("smolrecipes", "torch", "transformers", "trl", "peft")}


if __name__ == "__main__":
    main()
