"""prove: what holds is shown on every kind of recipe, and what was broken on purpose is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

from smolrecipes import CLM, MLM, SFT, ByteBPE, Llama, Loss, Mean, Recipe, Toy, Training, prove
from smolrecipes.load import load_recipe
from smolrecipes.prove.child import POSSIBLE
from smolrecipes.prove.proof import Proof, Record, alike, near, same
from smolrecipes.prove.proofs import LOADED, MERGED, PADDED, PASSES, PROCESSES, RESUMED, SEED

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="only Linux forks a process that computes")

ALL = [PASSES, PADDED, PROCESSES, SEED, RESUMED, MERGED, LOADED]
RECIPE = Recipe(
    tokenizer=ByteBPE(vocab_size=300), model=Llama(layers=3, hidden=96, heads=3), data=Toy("stories", rows=100),
    objective=CLM(documents="separate"), training=Training(max_length=64),
)  # fmt: skip


def broken(proofs: list[Proof]) -> list[str]:
    return [f"{proof.what}: {proof.how}" for proof in proofs if proof.holds is not True]


@pytest.mark.parametrize("name", ["orpo_lora", "translate_m2m100", "pretrain_rtd_electra"])
def test_all_holds_for_shipped_recipes(name: str) -> None:
    """Every other one is in tests/full."""
    proofs = prove(load_recipe(name))
    assert broken(proofs) == []
    left_out = {MERGED, PADDED} if name == "translate_m2m100" else set()
    left_out |= {MERGED} if not name.endswith("_lora") else set()
    assert {*ALL} - {proof.what for proof in proofs} <= left_out


class Uneven(CLM):
    """A likelihood that every micro-batch divides by itself, as many trainers did."""

    def loss(self, model: Any, batch: dict[str, Any]) -> Loss:
        found = super().loss(model, batch)
        tokens = len(batch["labels"])
        return Loss({name: Mean(one.sum / tokens, "sequences") for name, one in found.terms.items()})

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        return {**super().counts(batch), "sequences": 1}


def test_a_loss_that_accumulation_changes_is_found() -> None:
    proofs = {proof.what: proof for proof in prove(RECIPE.replace(objective=Uneven(documents="separate")))}
    assert proofs[PASSES].holds is False and ": the gradient of" in proofs[PASSES].how
    assert proofs[SEED].holds


class Drifting(CLM):
    """A loss with noise that no seed decides."""

    def loss(self, model: Any, batch: dict[str, Any]) -> Loss:
        import os

        noise = 1 + int.from_bytes(os.urandom(2), "big") / 2**16
        return Loss({n: Mean(one.sum * noise, one.over) for n, one in super().loss(model, batch).terms.items()})


def test_a_run_that_its_seed_does_not_decide_is_found() -> None:
    proofs = {proof.what: proof for proof in prove(RECIPE.replace(objective=Drifting(documents="separate")))}
    assert proofs[SEED].holds is False and proofs[RESUMED].holds is False


def test_the_first_step_and_tensor_that_differ_are_named() -> None:
    one = Record([1.0, 2.0], [{"a": torch.ones(2)}, {"a": torch.ones(2)}], {"a": torch.ones(2)})
    other = Record([1.0, 2.5], [{"a": torch.ones(2)}, {"a": torch.tensor([1.0, 1.1])}], {"a": torch.zeros(2)})
    assert near("x", one, one).holds and same("x", one, one).holds
    said = near("x", one, other)
    assert said.holds is False and said.how.startswith("step 2: the gradient of a differs by 1.00e-01")
    assert same("x", one, other).how == "step 2: the loss is 2.00000000 and 2.50000000"
    other.losses = one.losses
    assert same("x", one, other).how == "after 2 steps a differs by 1.00e+00"
    assert alike("x", (1.0, 1.0 + 1e-9), 1e-6).holds and not alike("x", (1.0, 1.1), 1e-6).holds
    assert not near("x", one, Record([], [{}, {}])).holds


def test_any_trainer_is_proved_and_stays_as_it_was(tmp_path: Path) -> None:
    tokenizer = ByteBPE(Toy("stories", rows=40), vocab_size=300).build(None)
    model = Llama(layers=1, hidden=32, heads=2).build(tokenizer)
    rows = [{"input_ids": tokenizer(f"number {n} " * (1 + n % 3))["input_ids"]} for n in range(32)]
    args = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True, per_device_train_batch_size=4, max_steps=50)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    trainer = Trainer(model=model, args=args, train_dataset=Dataset.from_list(rows), data_collator=collator)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    proofs = {proof.what: proof for proof in prove(trainer)}
    assert proofs[SEED].holds and proofs[RESUMED].holds and proofs[PASSES].holds, proofs
    assert all(weight.equal(before[name]) for name, weight in model.named_parameters())
    assert (trainer.args.max_steps, trainer.args.per_device_train_batch_size, trainer.state.global_step) == (50, 4, 0)


def test_mlm_and_chat_hold_too() -> None:
    from smolrecipes import BERT, WordPiece

    masked = RECIPE.replace(
        model=BERT(layers=2, hidden=32, heads=2), tokenizer=WordPiece(vocab_size=300, specials="bert"), objective=MLM()
    )
    assert broken(prove(masked)) == []
    assert broken(prove(RECIPE.replace(data=Toy("chat", rows=60), objective=SFT()))) == []
