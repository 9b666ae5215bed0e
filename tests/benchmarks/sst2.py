"""Sentiment of real phrases, three ways, on one split in which no held-out phrase lies inside a training phrase.

`python tests/benchmarks/sst2.py sst2_train.tsv`: TF-IDF with logistic regression (with scikit-learn installed), an encoder
from scratch, pretrained on the training phrases alone and then classified, and with `--base FOLDER` an encoder with
its weights. One thread; everything else is in the recipes below.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from smolrecipes import (
    MLM,
    Classification,
    Files,
    ModernBERT,
    Pretrained,
    Recipe,
    Trained,
    Training,
    WordPiece,
    run,
)
from smolrecipes.assemble import load_rows

HELD_OUT = 2000


def main() -> None:
    """Prints a line for each way: accuracy on the held-out phrases, and the seconds that it took."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("data", help="sst2_train.tsv: sentence and label")
    made.add_argument("--base", help="a folder with an encoder's weights and tokenizer")
    made.add_argument("--ways", nargs="*", default=["tfidf", "scratch", "base"])
    made.add_argument("--runs", help="where the runs lie; by default nothing is kept")
    options = made.parse_args()
    if not Path(options.data).is_file():
        sys.exit(f"{options.data}: there is no such file; nothing was measured")
    with tempfile.TemporaryDirectory() as folder:
        for way in options.ways:
            started = time.perf_counter()
            found = WAYS[way](options, options.runs or folder)
            print(json.dumps({"way": way, **found, "seconds": round(time.perf_counter() - started)}), flush=True)


def fine_tuning(data: str, model: Any, **training: Any) -> Recipe:
    """The recipe that all share but for the model; its split is the one of TF-IDF too."""
    return Recipe(
        model=model,
        data=Files(data),
        validation=HELD_OUT,
        holdout="phrases",
        objective=Classification(),
        training=Training(global_batch_size=32, micro_batch_size=8, max_length=64, **training),
        title="sst2",
    )


def scratch(options: argparse.Namespace, runs: str) -> dict[str, float]:
    """A small encoder that has read the training phrases and nothing else."""
    read = Recipe(
        tokenizer=WordPiece(vocab_size=8000, specials="distilbert"),
        model=ModernBERT(layers=3, hidden=128, heads=4, max_length=64, dropout=0.1),
        data=Files(options.data),
        validation=HELD_OUT,
        holdout="phrases",
        objective=MLM(rate=0.25, documents="separate"),
        training=Training(epochs=3, global_batch_size=64, max_length=64, optimizer="muon", learning_rate=5e-3),
        title="sst2_mlm",
    )
    return scores(fine_tuning(options.data, Trained(read), epochs=1, optimizer="muon", learning_rate=1e-3), runs)


def base(options: argparse.Namespace, runs: str) -> dict[str, float]:
    """An encoder whose weights know the language already."""
    if not options.base:
        return {"left out": "name a folder with --base"}  # type: ignore[dict-item]
    return scores(fine_tuning(options.data, Pretrained(options.base), steps=500, learning_rate=1e-4), runs)


def scores(recipe: Recipe, runs: str) -> dict[str, float]:
    """What a run tells of its held-out rows."""
    after = run(recipe, runs=runs).results["after"]
    return {name: round(after[name], 4) for name in ("accuracy", "f1", "mcc", "majority", "loss")}


def tfidf(options: argparse.Namespace, runs: str) -> dict[str, float]:
    """Words and pairs of words, weighed, and a linear classifier."""
    if not importlib.util.find_spec("sklearn"):
        return {"left out": "scikit-learn is not installed"}  # type: ignore[dict-item]
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, held_out, _ = load_rows(fine_tuning(options.data, "none"))
    assert held_out is not None
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    best: dict[str, float] = {}
    for strength in (1, 3, 10, 30):  # the one that is best for the held-out rows: more than fair
        model = LogisticRegression(C=strength, max_iter=1000).fit(words.fit_transform(train["text"]), train["label"])
        accuracy = float((model.predict(words.transform(held_out["text"])) == held_out["label"]).mean())
        best = max(best, {"accuracy": round(accuracy, 4), "C": strength}, key=lambda found: found.get("accuracy", 0))
    return {**best, "rows": len(train), "held out": len(held_out)}


WAYS = {"tfidf": tfidf, "scratch": scratch, "base": base}

if __name__ == "__main__":
    main()
