"""Preparing rows against `tokenizers` alone: `python tests/benchmarks/tokenise.py a.txt b.txt`. Prints JSON.

Plain text for CLM: reading the rows, encoding, writing the cache and cutting blocks, against the two batch calls of
`tokenizers` on the same texts and cores, in turns. Conversations for SFT: one process against all cores. Ratios are
speeds, taken pair by pair: 0.9 is nine tenths of the speed of the call. CPU seconds (of all processes) are beside the
seconds because other work on the machine slows the wall clock alone.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from smolrecipes import CLM, SFT, ByteBPE, Files, Objective, Toy
from smolrecipes.data.rows import convert, make
from smolrecipes.launch import cores
from smolrecipes.prepare import prepare


def main() -> None:
    """Measures and prints."""
    options = parser().parse_args()
    found = {
        "machine": f"{cores()} cores",
        "versions": {name: version(name) for name in ("tokenizers", "transformers", "datasets")},
        "text": text(options),
        "conversations": conversations(options),
    }
    print(json.dumps(found, indent=2))


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("files", nargs="*", help="plain text; generated stories when none is given")
    made.add_argument("--chat", help="a file of conversations; generated ones when it is not given")
    for name, value in (("megabytes", 10), ("vocab", 8192), ("repeats", 5), ("max-length", 512)):
        made.add_argument(f"--{name}", type=int, default=value)
    return made


def text(options: argparse.Namespace) -> dict[str, Any]:
    """Plain text into blocks, against encoding alone."""
    data = Files(tuple(options.files)) if options.files else Toy("stories")
    rows = make("text", enlarged(data.load()["text"], options.megabytes * 1_000_000))
    tokenizer = ByteBPE(vocab_size=options.vocab).build(rows)
    some, backend = list(rows["text"]), tokenizer.backend_tokenizer
    calls = {
        "encode_batch": lambda: backend.encode_batch(some, add_special_tokens=False),
        "encode_batch_fast": lambda: backend.encode_batch_fast(some, add_special_tokens=False),
        "prepare": lambda: fresh(rows, CLM(), tokenizer, options.max_length),
    }
    with tempfile.TemporaryDirectory() as folder:
        again = lambda: prepare(rows, CLM(), tokenizer, options.max_length, Path(folder))  # noqa: E731
        blocks = again().examples
        times = in_turns({**calls, "prepared before": again}, options.repeats)
        facts = {"rows": len(rows), "blocks": len(blocks), "megabytes": options.megabytes}
    ratios = {f"prepare / {call}": speed(times, "prepare", call) for call in ("encode_batch", "encode_batch_fast")}
    return {**facts, **medians(times), **ratios}


def conversations(options: argparse.Namespace) -> dict[str, Any]:
    """Conversations in one process, and shared out over all cores."""
    data = Files(options.chat) if options.chat else Toy("chat")
    rows, _ = convert(data.load(), ("messages",), "SFT")
    tokenizer = ByteBPE(vocab_size=options.vocab).build(rows)
    calls = {
        "one process": lambda: fresh(rows, SFT(), tokenizer, options.max_length, threads=1),
        "all cores": lambda: fresh(rows, SFT(), tokenizer, options.max_length),
    }
    times = in_turns(calls, options.repeats)
    return {"rows": len(rows), **medians(times), "all cores / one process": speed(times, "all cores", "one process")}


def enlarged(passages: list[str], size: int) -> Iterator[dict[str, str]]:
    """Rows of the passages, again and again with other words in them, until there are `size` bytes."""
    done = 0
    for again in itertools.count():
        for index, passage in enumerate(passages):
            row = passage.replace("e ", f"e{again} ") if again else passage
            yield {"text": row, "origin": f"{again}:{index}"}
            done += len(row.encode())
            if done >= size:
                return


def fresh(rows: Any, objective: Objective, tokenizer: Any, max_length: int, threads: int | None = None) -> None:
    """Everything from rows to examples, with nothing cached."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(rows, objective, tokenizer, max_length, Path(folder), threads)


def in_turns(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds and CPU seconds of each call; a first round warms up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            gc.collect()
            start, before = time.perf_counter(), sum(os.times()[:4])
            kept = call()
            times[name].append((time.perf_counter() - start, sum(os.times()[:4]) - before))
            del kept
    return {name: each[1:] for name, each in times.items()}


def medians(times: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """The median of seconds and of CPU seconds."""
    return {
        name: {what: round(statistics.median(column), 4) for what, column in zip(("seconds", "cpu"), zip(*each))}
        for name, each in times.items()
    }


def speed(times: dict[str, list[tuple[float, float]]], ours: str, theirs: str) -> dict[str, Any]:
    """How fast one call is in parts of the other: least, median and most of the pairs."""
    found = {}
    for column, what in enumerate(("seconds", "cpu")):
        ratios = [theirs[column] / ours[column] for ours, theirs in zip(times[ours], times[theirs])]
        found[what] = [round(value, 3) for value in (min(ratios), statistics.median(ratios), max(ratios))]
    return found


if __name__ == "__main__":
    main()
