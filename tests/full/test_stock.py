"""What stock trainers do, as docs/mistakes.md says: each row tried on the trainers themselves, so that the table stays true."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainerCallback, TrainingArguments
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from smolrecipes import ByteBPE, Llama, Toy

TOKENIZER = ByteBPE(Toy("chat", rows=40), vocab_size=400).build(None)
END = TOKENIZER.eos_token_id
COMMON: dict[str, Any] = {
    "report_to": "none", "use_cpu": True, "per_device_train_batch_size": 4, "logging_steps": 1, "disable_tqdm": True,
    "learning_rate": 1e-2, "lr_scheduler_type": "constant", "seed": 1,
}  # fmt: skip
TRL: dict[str, Any] = {**COMMON, "bf16": False, "gradient_checkpointing": False}


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def model(**changes: Any) -> Any:
    torch.manual_seed(0)
    return Llama(layers=1, hidden=32, heads=2, max_length=128).build(TOKENIZER, **changes)


def rows(count: int = 32) -> Dataset:
    ids = [[10 + n % 200, 20 + n, 30, 40 + n % 7, END] for n in range(count)]
    return Dataset.from_list([{"input_ids": each, "labels": each} for each in ids])


def trainer(folder: Path, given: Any = None, steps: int = 4, **changes: Any) -> Trainer:
    args = TrainingArguments(str(folder), max_steps=steps, **{**COMMON, **changes.pop("args", {})})
    return Trainer(model=given or model(), args=args, train_dataset=changes.pop("rows", rows()), **changes)


def sft(folder: Path, data: list[dict[str, Any]], **changes: Any) -> SFTTrainer:
    args = SFTConfig(str(folder), max_steps=2, **{**TRL, **changes})
    return SFTTrainer(model=model(), args=args, train_dataset=Dataset.from_list(data), processing_class=TOKENIZER)


def dpo(folder: Path, data: list[dict[str, Any]]) -> DPOTrainer:
    args = DPOConfig(str(folder), max_steps=2, **TRL)
    reference = model()
    return DPOTrainer(
        model=model(), ref_model=reference, args=args, train_dataset=Dataset.from_list(data), processing_class=TOKENIZER
    )


def losses(made: Any) -> list[float]:
    return [entry["loss"] for entry in made.state.log_history if "loss" in entry]


def talk(answer: str | None = "Yes.", role: str = "assistant", asked: str = "Well?") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": role, "content": answer}]}


class Spoil(TrainerCallback):  # type: ignore[misc]
    """Makes one weight nan."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 1:
            with torch.no_grad():
                next(kwargs["model"].parameters())[:] = math.nan


def test_2_a_loss_that_is_nan_is_logged_as_zero(tmp_path: Path) -> None:
    made = trainer(tmp_path, callbacks=[Spoil()])
    made.train()
    assert losses(made)[2:] == [0.0, 0.0] and made.state.global_step == 4


def test_3_clipping_spreads_one_nan_over_every_gradient() -> None:
    made = model()
    made(input_ids=torch.tensor([[5, 6, 7]]), labels=torch.tensor([[5, 6, 7]])).loss.backward()
    next(made.parameters()).grad[0, 0] = math.nan
    torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
    assert all(bool(weight.grad.isnan().all()) for weight in made.parameters())


def test_9_a_tokenizer_with_more_tokens_than_embeddings_is_an_index_error(tmp_path: Path) -> None:
    small = model()
    small.resize_token_embeddings(250)
    with pytest.raises(IndexError, match="index out of range"):
        trainer(tmp_path, small, rows=Dataset.from_list([{"input_ids": [300, 5], "labels": [300, 5]}] * 8)).train()


def test_10_truncation_takes_the_end_of_every_answer(tmp_path: Path) -> None:
    made = sft(tmp_path, [talk("word " * 60)] * 8, max_length=32)
    assert all(END not in row["input_ids"][1:] for row in made.train_dataset)
    made.train()


def test_12_and_13_no_answer_and_a_misspelt_role_train(tmp_path: Path) -> None:
    for row in (talk(""), talk(role="assitant")):
        made = sft(tmp_path, [row] * 8)
        made.train()
        assert all(math.isfinite(loss) for loss in losses(made))


def test_17_chosen_equal_to_rejected_stays_at_the_logarithm_of_two(tmp_path: Path) -> None:
    made = dpo(tmp_path, [{"prompt": f"Say {n}.", "chosen": "Yes.", "rejected": "Yes."} for n in range(8)])
    made.train()
    assert losses(made) == pytest.approx([math.log(2)] * 2, abs=1e-4)


def test_18_a_lora_target_that_matches_nothing_makes_a_smaller_adapter() -> None:
    both = get_peft_model(model(), LoraConfig(target_modules=["q_proj", "v_projection"]))
    one = get_peft_model(model(), LoraConfig(target_modules=["q_proj"]))
    assert both.get_nb_trainable_parameters() == one.get_nb_trainable_parameters()


def test_22_wrong_columns_are_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        sft(tmp_path, [{"question": "a", "reply": "b"}] * 8).train()


def test_23_a_frozen_model_is_torch_s_own_sentence(tmp_path: Path) -> None:
    frozen = model()
    frozen.requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        trainer(tmp_path, frozen).train()


def interrupted(folder: Path, damage: str) -> tuple[list[float], list[float]]:
    """The losses of four steps in one go, and those of a second run that goes on from a checkpoint without one file."""
    whole = trainer(folder, args={"save_steps": 2})
    whole.model.config.attention_dropout = 0.0
    whole.train()
    (folder / "checkpoint-2" / damage).unlink()
    again = trainer(folder, args={"save_steps": 2})
    again.train(resume_from_checkpoint=str(folder / "checkpoint-2"))
    return losses(whole), losses(again)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt"])
def test_39_a_missing_optimizer_or_schedule_is_a_fresh_one_silently(name: str, tmp_path: Path) -> None:
    whole, again = interrupted(tmp_path, name)
    assert len(again) == 4 and again[-1] != whole[-1]


def test_38_a_truncated_optimizer_is_a_crash(tmp_path: Path) -> None:
    trainer(tmp_path, args={"save_steps": 2}).train()
    file = tmp_path / "checkpoint-4" / "optimizer.pt"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(Exception, match=r"zip|archive|pickle|read|EOF"):
        trainer(tmp_path, steps=6).train(resume_from_checkpoint=True)


def test_37_a_killed_save_is_a_crash_though_an_older_checkpoint_is_whole(tmp_path: Path) -> None:
    trainer(tmp_path, args={"save_steps": 2}).train()
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
        (tmp_path / "checkpoint-4" / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"trainer_state.json"):
        trainer(tmp_path, steps=6).train(resume_from_checkpoint=True)


def test_41_one_bit_flipped_trains_on(tmp_path: Path) -> None:
    whole = trainer(tmp_path, args={"save_steps": 2})
    whole.train()
    file = tmp_path / "checkpoint-2" / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-2] ^= 0x10
    file.write_bytes(bytes(raw))
    again = trainer(tmp_path)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert again.state.global_step == 4


def test_45_two_runs_write_into_one_folder(tmp_path: Path) -> None:
    trainer(tmp_path, args={"save_steps": 4}).train()
    first = (tmp_path / "checkpoint-4" / "model.safetensors").read_bytes()
    trainer(tmp_path, args={"save_steps": 4, "seed": 2}).train()
    assert (tmp_path / "checkpoint-4" / "model.safetensors").read_bytes() != first


def test_49_a_generation_default_hides_in_the_library(tmp_path: Path) -> None:
    made = model()
    made.save_pretrained(tmp_path)
    assert "top_k" not in json.loads((tmp_path / "generation_config.json").read_text(encoding="utf-8"))
    assert made._prepare_generation_config(None, do_sample=True)[0].top_k == 50


def test_56_resuming_after_the_last_step_trains_one_more(tmp_path: Path) -> None:
    trainer(tmp_path, args={"save_steps": 4}).train()
    again = trainer(tmp_path, args={"save_steps": 4})
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == 5
