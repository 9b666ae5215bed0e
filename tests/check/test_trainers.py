"""check(trainer): what is wrong with any transformers or TRL Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

from smolrecipes import ByteBPE, Llama, Toy, check

TOKENIZER = ByteBPE(Toy("stories", rows=40), vocab_size=300).build(None)


def trainer(folder: Path, tokenizer: Any = TOKENIZER, model: Any = None, rows: Any = None, **changes: Any) -> Trainer:
    model = model or Llama(layers=1, hidden=32, heads=2, max_length=64).build(TOKENIZER)
    ids = rows or [{"input_ids": [*TOKENIZER(f"number {n}")["input_ids"], TOKENIZER.eos_token_id]} for n in range(16)]
    given: dict[str, Any] = {"output_dir": str(folder), "report_to": "none", "use_cpu": True, "max_steps": 4}
    given |= {"per_device_train_batch_size": 4, "logging_nan_inf_filter": False, **changes.pop("args", {})}
    collator = DataCollatorForLanguageModeling(TOKENIZER, mlm=False)
    return Trainer(
        model=model, args=TrainingArguments(**given), train_dataset=Dataset.from_list(ids), data_collator=collator,
        processing_class=tokenizer, **changes,
    )  # fmt: skip


def codes(given: Trainer) -> dict[str, str]:
    return {found.code: found.level for found in check(given)}


@pytest.fixture(autouse=True)
def pad() -> Any:
    before = TOKENIZER.pad_token
    yield
    TOKENIZER.pad_token = before


def test_a_healthy_trainer_has_no_finding(tmp_path: Path) -> None:
    given = trainer(tmp_path)
    state = torch.random.get_rng_state()
    assert codes(given) == {}
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_default_filter_hides_nan(tmp_path: Path) -> None:
    assert codes(trainer(tmp_path, args={"logging_nan_inf_filter": True})) == {"trainer-hides-nan": "warning"}


def test_fewer_embeddings_than_tokens_and_far_more(tmp_path: Path) -> None:
    small = Llama(layers=1, hidden=32, heads=2).build(TOKENIZER)
    small.resize_token_embeddings(250)
    assert codes(trainer(tmp_path, model=small))["model-vocabulary"] == "error"
    small.resize_token_embeddings(5_000)
    assert codes(trainer(tmp_path, model=small)) == {"model-other-tokenizer": "warning"}


def test_pad_that_is_eos_and_an_end_that_is_never_learned(tmp_path: Path) -> None:
    TOKENIZER.pad_token = TOKENIZER.eos_token
    assert codes(trainer(tmp_path)) == {"model-pad": "warning", "labels-no-end": "warning"}


def test_frozen_models_and_rows_longer_than_its_positions(tmp_path: Path) -> None:
    model = Llama(layers=1, hidden=32, heads=2, max_length=64).build(TOKENIZER)
    rows = [{"input_ids": [70] * 80 + [TOKENIZER.eos_token_id, n]} for n in range(20, 36)]
    assert codes(trainer(tmp_path, model=model, rows=rows)) == {"model-positions": "error"}
    model.requires_grad_(False)
    assert codes(trainer(tmp_path, model=model)) == {"model-frozen": "error"}


def test_the_same_rows_twice_and_held_out(tmp_path: Path) -> None:
    rows = [{"input_ids": [70, n % 8 + 40, TOKENIZER.eos_token_id]} for n in range(16)]
    given = trainer(tmp_path, rows=rows, eval_dataset=Dataset.from_list(rows[:4]))
    assert codes(given) == {"rows-twice": "warning", "rows-overlap": "error"}


def test_two_beginnings(tmp_path: Path) -> None:
    rows = [{"input_ids": [70] * 2 + [n, TOKENIZER.eos_token_id]} for n in range(40, 56)]
    TOKENIZER.bos_token = TOKENIZER.convert_ids_to_tokens(rows[0]["input_ids"][0])
    try:
        assert codes(trainer(tmp_path, rows=rows)) == {"labels-two-starts": "error"}
    finally:
        TOKENIZER.bos_token = None


def test_an_adapter_that_misses_a_target_and_does_not_train_new_tokens(tmp_path: Path) -> None:
    tokenizer = ByteBPE(Toy("stories", rows=40), vocab_size=300).build(None)
    model = Llama(layers=1, hidden=32, heads=2).build(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|call|>"]})
    model.resize_token_embeddings(len(tokenizer))
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "k_prjo"]))
    said = codes(trainer(tmp_path, tokenizer=tokenizer, model=adapted))
    assert said == {"model-targets": "warning", "model-new-tokens": "warning"}
    model.new_token_ids = [300]  # as ours knows them
    assert codes(trainer(tmp_path, tokenizer=tokenizer, model=adapted))["model-new-tokens"] == "error"


def test_batches_without_a_label(tmp_path: Path) -> None:
    given = trainer(tmp_path)
    given.data_collator = lambda rows: {"input_ids": torch.ones(4, 3).long(), "labels": torch.full((4, 3), -100)}
    assert codes(given) == {"batch-no-labels": "error", "labels-no-end": "warning"}


def test_a_schedule_of_another_length(tmp_path: Path) -> None:
    given = trainer(tmp_path)
    optimizer = torch.optim.SGD(given.model.parameters(), lr=1.0)
    given.lr_scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=100)
    assert codes(given) == {"trainer-schedule": "warning"}


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000))
    assert codes(trainer(tmp_path)) == {"disk-space": "error"}
