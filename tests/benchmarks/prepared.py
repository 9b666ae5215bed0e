"""The same small model on raw and on prepared text: `python tests/benchmarks/prepared.py CORPUS [--tokens 3000000]`.

CORPUS is a folder that corpus.py made. Both read as many tokens, by the same tokenizer, and neither reads a row that
shares 13 words with what is held out: English documents after preparation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from smolrecipes import (
    CLM,
    ByteBPE,
    Decontaminate,
    DropDuplicates,
    DropLines,
    DropNearDuplicates,
    Files,
    FixText,
    KeepLanguages,
    KeepLength,
    KeepQuality,
    Likelihood,
    Llama,
    Recipe,
    Sample,
    Training,
    run,
)
from smolrecipes.kinds import Data

STEPS = (
    FixText(),
    KeepLanguages("en"),
    DropLines(repeated=100),
    KeepLength(200),
    KeepQuality("gopher_repetition"),
    DropDuplicates(),
    DropDuplicates("paragraphs"),
    DropNearDuplicates(),
)


def main() -> None:
    """Prints a line of JSON for each."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("corpus", type=Path)
    made.add_argument("--tokens", type=int, default=3_000_000)
    made.add_argument("--held-out", type=int, default=300)
    made.add_argument("--runs", default="runs")
    options = made.parse_args()
    raw = Files(str(options.corpus / "corpus.jsonl"))
    clean = raw.pipe(*STEPS)
    held_out = clean.pipe(Sample(count=options.held_out, seed=1))
    apart = Decontaminate(held_out)
    for name, data in (("raw", raw.pipe(apart)), ("prepared", clean.pipe(apart))):
        done = run(recipe(name, data, held_out, clean, options.tokens), runs=options.runs)
        results = {key: done.results["after"][key] for key in ("loss", "bits_per_byte") if key in done.results["after"]}
        numbers = Likelihood(data=held_out, max_rows=None).evaluate(done)
        print(json.dumps({"data": name, "rows": len(data.load()), **results, "held out": numbers}), flush=True)


def recipe(name: str, data: Data, held_out: Data, words: Data, tokens: int) -> Recipe:
    """A Llama of four layers on blocks of 256."""
    return Recipe(
        model=Llama(layers=4, hidden=192, heads=6),
        tokenizer=ByteBPE(words, vocab_size=4096),
        data=data,
        validation=held_out,
        objective=CLM(),
        training=Training(
            tokens=tokens,
            global_batch_size=16,
            max_length=256,
            optimizer="muon",
            learning_rate=5e-3,
            evaluate_every=1000,
        ),
        title=f"text_{name}",
    )


if __name__ == "__main__":
    main()
