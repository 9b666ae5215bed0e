"""Held-out bits per byte of a text: a decoder and an encoder from scratch against what knows frequencies only, and xz.

`python tests/benchmarks/literary.py shakespeare.txt divina_commedia.txt [--steps 1500]`. The last tenth of each text is
held out. The decoder's bits are those of its likelihood. The encoder's are those of its pseudo-likelihood: every token is
hidden once, one in seven at a time, and what is seen to both sides is free, so the two do not compare with each other.
The unigram knows how often each token of the same tokenizer comes; xz is given the first nine tenths before.
"""

from __future__ import annotations

import argparse
import lzma
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smolrecipes import CLM, MLM, ByteBPE, Files, Llama, ModernBERT, Recipe, Training
from smolrecipes.objectives.forward import token_nll
from smolrecipes.objectives.labels import IGNORE

APART = 7
"""One token in so many is hidden at a time."""
LENGTH = 128


def main() -> None:
    """Trains both on each text and prints a row for each."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("texts", nargs="+", help="text files")
    made.add_argument("--steps", type=int, default=1500)
    made.add_argument("--vocabulary", type=int, default=1024)
    options = made.parse_args()
    print("| text | unigram | xz | CLM | unigram of the hidden | MLM |\n|---|---|---|---|---|---|")
    for path in options.texts:
        found = measured(Path(path), options)
        print(f"| {Path(path).stem} | " + " | ".join(f"{value:.3f}" for value in found.values()) + " |", flush=True)


def measured(path: Path, options: argparse.Namespace) -> dict[str, float]:
    """Bits per byte of the last tenth."""
    text = path.read_text(encoding="utf-8")
    border = text.rindex("\n", 0, len(text) * 9 // 10)
    train, held = text[:border], text[border:]
    size = len(held.encode())
    with tempfile.TemporaryDirectory() as folder:
        files = {"train": Path(folder) / "train.txt", "held": Path(folder) / "held.txt"}
        for file, part in zip(files.values(), (train, held)):
            file.write_text(part, encoding="utf-8")
        decoder, encoder = (trained(kind, files, options, folder) for kind in ("clm", "mlm"))
        nll, tokens = likelihood(decoder)
        pseudo, hidden = pseudo_likelihood(encoder)
    packed = [len(lzma.compress(part.encode(), preset=9 | lzma.PRESET_EXTREME)) for part in (train, text)]
    return {
        "unigram": bits(unigram(decoder) * tokens, size),
        "xz": 8 * (packed[1] - packed[0]) / size,
        "clm": bits(nll, size),
        "unigram of the hidden": bits(unigram(encoder) * hidden, size),
        "mlm": bits(pseudo, size),
    }


def trained(kind: str, files: dict[str, Path], options: argparse.Namespace, folder: str) -> Any:
    """The trainer, when it has trained."""
    clm = kind == "clm"
    model = Llama(layers=4, hidden=192, heads=6) if clm else ModernBERT(layers=4, hidden=192, heads=6)
    trainer = Recipe(
        model=model.replace(max_length=LENGTH),
        tokenizer=ByteBPE(vocab_size=options.vocabulary).replace(specials=model.specials),
        data=Files(str(files["train"])),
        validation=Files(str(files["held"])),
        objective=CLM() if clm else MLM(rate=1 / APART),
        training=Training(
            steps=options.steps,
            global_batch_size=16,
            max_length=LENGTH,
            learning_rate=3e-3,
            weight_decay=0.1,
            rehearse=False,
        ),
    ).trainer(runs=folder)
    start = time.monotonic()
    trainer.train()
    print(f"  {kind}: {time.monotonic() - start:.0f} s, {trainer.evaluate()}", flush=True)
    return trainer


def likelihood(trainer: Any) -> tuple[float, int]:
    """Nats of all held-out tokens but the first, and how many they are."""
    tokens = sum(len(batch["labels"]) for batch in trainer.get_eval_dataloader())
    return float(trainer.evaluate()["eval_loss"]) * tokens, tokens


@torch.no_grad()
def pseudo_likelihood(trainer: Any) -> tuple[float, int]:
    """Nats of all held-out tokens, each hidden once, and how many they are."""
    from smolrecipes.objectives.masking import ordinary
    from smolrecipes.objectives.text import wrapped

    tokenizer, total, tokens = trainer.parts.tokenizer, 0.0, 0
    trainer.model.eval()
    for row in trainer.parts.validation:
        ids = wrapped(np.array(row["input_ids"]), tokenizer)
        sequences = []
        for first in range(APART):
            hidden = ordinary(tokenizer)[ids] & (np.arange(len(ids)) % APART == first)
            seen = np.where(hidden, tokenizer.mask_token_id, ids)
            sequences.append((seen, np.where(hidden, ids, IGNORE)))
        batch = trainer.parts.layout(sequences, causal=False)
        total, tokens = total + float(token_nll(trainer.model, batch)), tokens + len(batch["labels"])
    return total, tokens


def unigram(trainer: Any) -> float:
    """Nats of a held-out token for what knows the training tokens' frequencies, each counted once more."""
    size = len(trainer.parts.tokenizer)
    seen, held = (
        np.bincount(np.concatenate([row["input_ids"] for row in rows]), minlength=size)
        for rows in (trainer.parts.train, trainer.parts.validation)
    )
    logs = np.log((seen + 1) / (seen.sum() + size))
    return float(-(held * logs).sum() / held.sum())


def bits(nats: float, size: int) -> float:
    """Bits per byte."""
    return nats / math.log(2) / size


if __name__ == "__main__":
    main()
