"""The baseline by frequencies, against numbers counted by hand, in one process and whatever the batches."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from smolrecipes import BERT, CLM, MLM, SFT, ByteBPE, Llama, Recipe, Toy, Training, WordPiece
from smolrecipes.baseline import by_frequency

TRAINING = Training(global_batch_size=4, max_length=64, device="cpu")


def recipe(objective: object, task: str) -> Recipe:
    encoder = isinstance(objective, MLM)
    model = BERT(layers=1, hidden=32, heads=2) if encoder else Llama(layers=1, hidden=32, heads=2)
    tokenizer = WordPiece(vocab_size=300, specials="bert") if encoder else ByteBPE(vocab_size=300)
    data = Toy(task, rows=60)
    return Recipe(tokenizer=tokenizer, model=model, data=data, objective=objective, training=TRAINING, validation=0.2)  # type: ignore[arg-type]


@pytest.mark.parametrize(("objective", "task"), [(CLM(), "stories"), (SFT(), "chat")], ids=["clm", "sft"])
def test_it_is_the_cross_entropy_of_the_training_labels_frequencies(
    objective: object, task: str, tmp_path: Path
) -> None:
    trainer = recipe(objective, task).trainer(tmp_path)
    labels = {}
    for name, rows in (("train", trainer.train_dataset), ("held-out", trainer.eval_dataset)):
        found = Counter[int]()
        for row in rows:
            found.update(label for label in row.get("labels", row["input_ids"])[1:] if label >= 0)
        labels[name] = found
    size = trainer.model.config.vocab_size
    total = sum(labels["train"].values()) + size
    nats = {token: -math.log((labels["train"][token] + 1) / total) for token in range(size)}
    wanted = sum(count * nats[token] for token, count in labels["held-out"].items()) / sum(labels["held-out"].values())
    assert by_frequency(trainer) == pytest.approx(wanted, rel=1e-12)


def test_masked_tokens_have_one_as_well(tmp_path: Path) -> None:
    trainer = recipe(MLM(), "stories").trainer(tmp_path)
    trainer.state.global_step = 1
    assert 0 < trainer.evaluate()["eval_baseline"] < math.log(300)
