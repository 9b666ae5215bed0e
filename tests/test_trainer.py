"""RecipeTrainer: sums over the global batch. Accumulation, uneven rows and resuming change nothing."""

from __future__ import annotations

import inspect
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, TrainingArguments

from smolrecipes import attention
from smolrecipes.kinds import Layout, Objective, Parts
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.dpo import DPO
from smolrecipes.objectives.orpo import ORPO
from smolrecipes.objectives.sft import SFT
from smolrecipes.trainer import RecipeTrainer


def model(dropout: float = 0.0) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            pad_token_id=0,
            attention_dropout=dropout,
        )
    )


def examples(objective: Objective, rows: int = 11) -> Dataset:
    draw = random.Random(0)

    def ids(low: int, high: int) -> list[int]:
        return [draw.randrange(1, 40) for _ in range(draw.randint(low, high))]

    made: list[dict[str, Any]] = []
    for row in range(rows):
        if objective.rows == ("preference",):
            example: dict[str, Any] = {"prompt": ids(2, 5), "chosen": ids(1, 9), "rejected": ids(1, 9)}
        else:
            text = ids(4, 20)
            example = {"input_ids": text, "labels": [-100, -100, *text[2:]]}
        made.append({**example, "cut": 0, "origin": f"toy:{row}"})
    return Dataset.from_list(made)


class Tokens:
    pad_token_id = 0

    def save_pretrained(self, folder: str) -> None:
        """Nothing to save: these tests make ids, not text."""


def trainer(
    objective: Objective, folder: Path, micro: int, batch: int = 4, steps: int = 6, dropout: float = 0.0, **options: Any
) -> RecipeTrainer:
    accumulation = -(-batch // micro)
    arguments = TrainingArguments(
        output_dir=str(folder),
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        max_steps=steps,
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        learning_rate=1e-2,
        logging_steps=1,
        remove_unused_columns=False,
        **{"save_strategy": "no", **options},
    )
    rows = examples(objective)
    parts = Parts(model(dropout), arguments, Tokens(), rows, rows, rows, rows, [], batch, None, 64, 0, Layout())  # type: ignore[arg-type]
    return RecipeTrainer(objective, parts)


def losses(built: RecipeTrainer) -> list[float]:
    return [entry["loss"] for entry in built.state.log_history if "loss" in entry]


OBJECTIVES = [CLM(), SFT(), ORPO(), ORPO(learn="prompt+answer"), DPO()]


def made(objective: Objective, folder: Path, micro: int, **options: Any) -> RecipeTrainer:
    built = trainer(objective, folder, micro, **options)
    if isinstance(objective, DPO):
        rows = objective.precompute(built.parts.train, built.model, Layout(), 4, lambda make: make())
        object.__setattr__(built.parts, "train", rows)
        object.__setattr__(built.parts, "validation", rows)
    return built


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_accumulation_and_packing_change_nothing(objective: Objective, tmp_path: Path) -> None:
    """11 rows in batches of 4: the last batch of an epoch is partial, rows differ in length."""
    runs = []
    for micro, packed in ((4, False), (1, False), (3, False), (4, True), (3, True)):
        built = made(objective, tmp_path / f"{micro}{packed}", micro)
        if packed:
            built.model.set_attn_implementation(attention.NAME)
            object.__setattr__(built.parts, "layout", Layout(packed=True))
        built.train()
        runs.append(
            (losses(built), {n: p.detach().clone() for n, p in built.model.named_parameters()}, built.evaluate())
        )
    for found, weights, held_out in runs[1:]:
        assert found == pytest.approx(runs[0][0], rel=1e-5)
        assert {k: v for k, v in held_out.items() if "second" not in k and "runtime" not in k} == pytest.approx(
            {k: v for k, v in runs[0][2].items() if "second" not in k and "runtime" not in k}, rel=1e-4
        )
        for name, value in weights.items():
            torch.testing.assert_close(value, runs[0][1][name], rtol=1e-3, atol=1e-4)


def test_the_logged_loss_is_the_mean_over_labelled_tokens(tmp_path: Path) -> None:
    built = made(SFT(), tmp_path, 2, steps=1)
    fresh = model()
    rows = [built.parts.train[i] for cell in list(built.get_train_dataloader().batch_sampler)[:2] for i in cell]
    sums, count = 0.0, 0
    for row in rows:
        logits = fresh(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1].log_softmax(-1).detach()
        for position, label in enumerate(row["labels"][1:]):
            if label != -100:
                sums -= float(logits[position, label])
                count += 1
    built.train()
    assert losses(built)[0] == pytest.approx(sums / count, rel=1e-5)


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    """Bit for bit, with dropout, across an epoch's end, with accumulation."""
    options: dict[str, Any] = {"steps": 7, "dropout": 0.3, "save_strategy": "steps", "save_steps": 2}
    whole = trainer(SFT(), tmp_path, 2, **options)
    whole.train()
    again = trainer(SFT(), tmp_path, 2, **options)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert losses(again)[4:] == losses(whole)[4:]
    for (name, ours), theirs in zip(again.model.named_parameters(), whole.model.parameters()):
        assert torch.equal(ours, theirs), name


def test_the_trainers_private_methods_are_still_there() -> None:
    """What we rely on beyond Trainer's documented methods; a new transformers that changes them must be looked at."""
    from transformers import Trainer

    assert callable(Trainer._prepare_inputs)
    source = inspect.getsource(Trainer)
    for fragment in (
        "self.get_batch_samples(epoch_iterator, num_batches, self.args.device)",
        "self.loss_is_scaled_for_ga is not None",
        "train_dataloader.set_epoch(epoch)",
        "skip_first_batches(train_dataloader, steps_trained_in_current_epoch)",
    ):
        assert fragment in source, fragment


def test_a_batch_is_counted_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, counting what lies there would wait for all that it has been asked to compute."""
    ours, counts, called = trainer(ORPO(), tmp_path, micro=2, steps=3), ORPO.counts, []

    def counted(self: ORPO, batch: dict[str, Any]) -> dict[str, int]:
        called.append("origins" in batch)  # which a batch loses on its way to the loss
        return counts(self, batch)

    monkeypatch.setattr(ORPO, "counts", counted)
    ours.train()
    ours.evaluate(examples(ORPO()))
    assert called == [True] * (3 * 2 + 6)


class Silent(CLM):
    """Whatever is in a batch, nothing of it counts."""

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        return dict.fromkeys(super().counts(batch), 0)


def test_a_batch_in_which_nothing_is_learned_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from powercut import RECIPE

    RECIPE.replace(objective=Silent(documents="separate")).trainer(runs=tmp_path).train()
    assert "step 1: nothing in the batch is learned; its rows: toy:stories:" in caplog.text
