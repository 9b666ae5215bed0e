"""Steps of data preparation in numbers: `python tests/benchmarks/data.py CORPUS [--evaluation gsm8k_test.jsonl] [--only NAME,...]`.

CORPUS is a folder that corpus.py made. Each step runs on all of it, alone, in a process of its own on one core: CPU
seconds, MB a second, peak memory, what it kept; and, by the truth beside the corpus, what it found of what was put in.
Beside DropNearDuplicates: datatrove's MinHash stages, and datasketch where it is installed, on the same rows and words. `--sizes 10,30,100`
measures how the cost grows.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

WORDS, THRESHOLD = 5, 0.7
STEPS = {
    "fix_text": "FixText()",
    "keep_languages": "KeepLanguages('en', 'it', 'de', 'fr', 'es')",
    "gopher": "KeepQuality('gopher')",
    "gopher_repetition": "KeepQuality('gopher_repetition')",
    "c4": "KeepQuality('c4')",
    "fineweb": "KeepQuality('fineweb')",
    "rows": "DropDuplicates()",
    "paragraphs": "DropDuplicates('paragraphs')",
    "lines": "DropDuplicates('lines')",
    "near": f"DropNearDuplicates({THRESHOLD}, words={WORDS})",
    "evaluation": "Decontaminate(Files({evaluation!r}, columns={{'text': 'question'}}))",
    "pii": "MaskPII()",
}
OTHERS = ("datatrove", "datasketch")


def main() -> None:
    """A line of JSON for each step and size."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("corpus", type=Path)
    made.add_argument("--evaluation", default="", help="the questions that corpus.py was given")
    made.add_argument("--only", default="", help="of the steps, with commas")
    made.add_argument("--sizes", default="", help="megabytes, with commas: the first rows of the corpus")
    made.add_argument(
        "--python", default=sys.executable, help="a Python that has datasketch, datatrove, orjson and xxhash before 4"
    )
    made.add_argument("--do", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.do:
        print(json.dumps(measured(options)))
        return
    names = options.only.split(",") if options.only else [*STEPS, *OTHERS]
    for size in map(float, options.sizes.split(",")) if options.sizes else (0.0,):
        with tempfile.TemporaryDirectory() as folder:
            corpus = cut(options.corpus, size, Path(folder)) if size else options.corpus
            for name in names:
                if name != "evaluation" or options.evaluation:
                    found = child(corpus, name, options)
                    kept = set(found.pop("kept"))
                    judged = {} if size else judge(name, corpus, kept, found)
                    found.pop("texts", None)
                    print(json.dumps({"step": name, "of": size or "all", **found, **judged}), flush=True)


def child(corpus: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A measurement in a process of its own."""
    python = options.python if name in OTHERS else sys.executable
    command = [python, __file__, str(corpus), "--do", name, "--evaluation", options.evaluation]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"failed": done.returncode, "kept": []}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """What one of them costs, and the numbers of the rows that it keeps."""
    file = options.corpus / "corpus.jsonl"
    others: dict[str, Callable[[Path], dict[str, Any]]] = {"datatrove": by_datatrove, "datasketch": by_datasketch}
    began = time.time()
    found = others[options.do](file) if options.do in others else ours(file, options)
    used = resource.getrusage(resource.RUSAGE_SELF)
    megabytes = sum(len(text.encode()) for text in texts(file)) / 1e6
    cpu = found.pop("cpu")
    speed = {"seconds": round(time.time() - began, 1), "cpu": round(cpu, 1), "mb_a_second": round(megabytes / cpu, 2)}
    return {"megabytes": round(megabytes, 1), **speed, "peak_mb": round(used.ru_maxrss / 1024), **found}


def ours(file: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A step of the pipeline; reading the file is not counted."""
    import smolrecipes
    from smolrecipes.cache import kept_in
    from smolrecipes.pipeline import stages

    step = eval(STEPS[options.do].format(evaluation=options.evaluation), vars(smolrecipes))
    stages.cores = lambda: 1
    with tempfile.TemporaryDirectory() as folder, kept_in(Path(folder)):
        source = smolrecipes.Files(str(file))
        stages.prepared(source.pipe(smolrecipes.Sample(share=1.0)))  # reads the file
        began = time.process_time()
        stage = stages.prepared(source.pipe(step))
        cpu, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kept = [int(origin.rsplit(":", 1)[1]) for origin in stage.load()["origin"]]
        changed = {} if options.do != "pii" else {"texts": dict(zip(kept, stage.load()["text"]))}
        report = stage.report
    told = {"rows": report.rows_in, "changed": report.changed, "dropped": report.dropped, "reasons": report.reasons}
    return {"cpu": cpu, "peak_mb": round(peak / 1024), **told, "kept": kept, **changed}


def by_datatrove(file: Path) -> dict[str, Any]:
    """datatrove's four stages, 14 bands of 8, with words as we take them."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.word_tokenizers import WordTokenizer
    from loguru import logger

    class Plain(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return re.findall(r"\w+", text.lower())

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    logger.remove()
    with tempfile.TemporaryDirectory() as folder:
        config = MinhashConfig(n_grams=WORDS, num_buckets=14, hashes_per_bucket=8)
        rows = Path(folder) / "rows"
        rows.mkdir()
        with (rows / "rows.jsonl").open("w", encoding="utf-8") as stream:
            for number, text in enumerate(texts(file), 1):
                stream.write(json.dumps({"text": text, "id": str(number)}) + "\n")
        read = JsonlReader(str(rows))
        began = time.process_time()
        steps = [
            [read, MinhashDedupSignature(f"{folder}/signatures", config=config, language=Plain())],
            [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)],
            [MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config)],
            [
                read,
                MinhashDedupFilter(f"{folder}/remove"),
                JsonlWriter(f"{folder}/kept", "${rank}.jsonl", compression=None),
            ],
        ]
        for number, step in enumerate(steps):
            tasks = config.num_buckets if number == 1 else 1
            LocalPipelineExecutor(step, tasks=tasks, workers=1, logging_dir=f"{folder}/logs{number}").run()
        cpu = time.process_time() - began
        kept = [
            int(json.loads(line)["id"])
            for part in Path(folder, "kept").glob("*.jsonl")
            for line in part.open(encoding="utf-8")
        ]
    return {"cpu": cpu, "rows": number_of(file), "dropped": number_of(file) - len(kept), "kept": kept}


def by_datasketch(file: Path) -> dict[str, Any]:
    """Each row asked for among those kept before it, 128 permutations, without comparing what is found."""
    from datasketch import MinHash, MinHashLSH

    kept, index, began = [], MinHashLSH(threshold=THRESHOLD, num_perm=128), time.process_time()
    for number, text in enumerate(texts(file), 1):
        signature = MinHash(num_perm=128)
        signature.update_batch([" ".join(run).encode() for run in runs(text)])
        if not index.query(signature):
            index.insert(number, signature)
            kept.append(number)
    cpu = time.process_time() - began
    return {"cpu": cpu, "rows": number_of(file), "dropped": number_of(file) - len(kept), "kept": kept}


def judge(name: str, corpus: Path, kept: set[int], found: dict[str, Any]) -> dict[str, Any]:
    """What was found of what was put in."""
    truth = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in (corpus / "corpus.jsonl").open(encoding="utf-8")]
    place = {row["id"]: number for number, row in enumerate(lines, 1)}
    if name == "pii":
        rewritten = {int(number): text for number, text in found.pop("texts").items()}
        gone = Counter((one["kind"], one["text"] not in rewritten[place[one["id"]]]) for one in truth["pii"])
        return {"recall": {kind: gone[kind, True] / (gone[kind, True] + gone[kind, False]) for kind, _ in gone}}
    if name == "evaluation":
        there = {place[one["id"]] for one in truth["evaluation"]}
        dropped = set(place.values()) - kept
        return {"recall": len(there & dropped) / len(there), "dropped without a question": len(dropped - there)}
    if name not in ("rows", "near", *OTHERS):
        return {}
    sets = {number: hashes(row["text"]) for number, row in enumerate(lines, 1)}
    recall: dict[str, list[bool]] = {}
    for kind in ("exact", "spaced", "framed", "near"):
        for one in truth[kind]:
            pair = place[one["id"]], place[one["of"]]
            if likeness(*(sets[number] for number in pair)) >= THRESHOLD:
                recall.setdefault(f"{kind} {one.get('share', '')}".strip(), []).append(not set(pair) <= kept)
    best = nearest([number for number in sets if number not in kept], sets)
    right = sum(value >= THRESHOLD for value in best)
    told = {kind: f"{sum(hits)} of {len(hits)}" for kind, hits in recall.items()}
    return {"recall": told, "precision": round(right / max(1, len(best)), 4), "least": round(min(best, default=1.0), 3)}


def nearest(asked: list[int], everything: dict[int, Any]) -> list[float]:
    """Of each row that is asked for, how alike the most alike other row is."""
    flat = np.concatenate([everything[number] for number in asked])
    owners = np.repeat(np.arange(len(asked)), [len(everything[number]) for number in asked])
    order = np.argsort(flat, kind="stable")
    flat, owners = flat[order], owners[order]
    sizes, index = (
        np.array([len(everything[number]) for number in asked]),
        {number: at for at, number in enumerate(asked)},
    )
    best = np.zeros(len(asked))
    for number, own in everything.items():
        first, last = np.searchsorted(flat, own, "left"), np.searchsorted(flat, own, "right")
        there = first < last
        met = [owners[start:stop] for start, stop in zip(first[there], last[there])]
        if not met:
            continue
        same = np.bincount(np.concatenate(met), minlength=len(asked))
        share = same / (len(own) + sizes - same)
        if number in index:
            share[index[number]] = 0
        np.maximum(best, share, out=best)
    return [float(value) for value in best]


def likeness(one: Any, other: Any) -> float:
    """Jaccard's."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def hashes(text: str) -> Any:
    """The runs of words as numbers, each once."""
    found = [hash(run) for run in runs(text)]
    return np.unique(np.fromiter(found, np.int64, len(found)))


def runs(text: str) -> list[tuple[str, ...]]:
    """All runs of words; a shorter text is one."""
    words = re.findall(r"\w+", text.lower())
    return [tuple(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))]


def texts(file: Path) -> Iterator[str]:
    """Of all rows."""
    with file.open(encoding="utf-8") as stream:
        yield from (str(json.loads(line)["text"]) for line in stream)


def number_of(file: Path) -> int:
    """The rows of a file."""
    return sum(1 for _ in texts(file))


def cut(corpus: Path, megabytes: float, folder: Path) -> Path:
    """The first rows of the corpus."""
    size = 0
    with (
        (corpus / "corpus.jsonl").open(encoding="utf-8") as rows,
        (folder / "corpus.jsonl").open("w", encoding="utf-8") as out,
    ):
        for line in rows:
            size += len(line.encode())
            if size > megabytes * 1e6:
                break
            out.write(line)
    return folder


if __name__ == "__main__":
    main()
