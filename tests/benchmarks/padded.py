"""The plain padded Trainer: labels in the batch, rows padded to the longest, every position's logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from cases import Case
from torch import Tensor
from transformers import Trainer, TrainingArguments
from work import drawn

IGNORE = -100


def trainer(case: Case, folder: Path) -> Trainer:
    """transformers' Trainer on the examples in the order in which the recipe takes them."""
    from datasets import load_from_disk

    model, tokenizer = loaded(case, folder)
    arguments = TrainingArguments(**options(case, folder), remove_unused_columns=False)
    kind = Preferences if case.objective in ("dpo", "orpo") else Trainer
    made = kind(model, arguments, collator(case, tokenizer), load_from_disk(folder / "examples"))
    made.objective = case.objective
    return made


def options(case: Case, folder: Path) -> dict[str, Any]:
    """The TrainingArguments of a case."""
    rows = case.micro or case.batch
    return {
        "output_dir": str(folder / "runs" / "padded"),
        "max_steps": case.steps + case.warm,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": case.batch // rows,
        "learning_rate": 5e-4,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 1,
        "logging_steps": case.log,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "train_sampling_strategy": "sequential",
        "use_cpu": case.device == "cpu",
        "bf16": case.device == "cuda",
    }


def loaded(case: Case, folder: Path) -> tuple[Any, Any]:
    """The model, with a LoRA where the case has one, and its tokenizer."""
    import transformers

    from smolrecipes import LoRA

    torch.manual_seed(0)
    head = {"mlm": "MaskedLM", "classification": "SequenceClassification"}.get(case.objective, "CausalLM")
    kinds = getattr(transformers, f"AutoModelFor{head}"), transformers.AutoTokenizer
    model, tokenizer = (kind.from_pretrained(folder / "base") for kind in kinds)
    model.config.use_cache = False
    return (LoRA(r=8).apply(model, tokenizer) if case.lora else model), tokenizer


def collator(case: Case, tokenizer: Any) -> Callable[[list[dict[str, Any]]], dict[str, Tensor]]:
    """Examples to `input_ids`, `attention_mask`, `labels`; of pairs all chosen rows, then all rejected ones.

    Masks are drawn here, unless they are there already.
    """
    from smolrecipes import MLM

    pad, masks = tokenizer.pad_token_id, MLM()

    def together(examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        if case.objective == "mlm":
            examples = examples if "labels" in examples[0] else drawn(masks, examples, tokenizer)
            return pad_rows([(e["input_ids"], e["labels"]) for e in examples], pad)
        if case.objective == "classification":
            rows = pad_rows([(e["input_ids"], []) for e in examples], pad)
            return rows | {"labels": torch.tensor([e["target"] for e in examples])}
        if case.objective in ("clm", "sft"):
            return pad_rows([(e["input_ids"], e.get("labels", e["input_ids"])) for e in examples], pad)
        rows = [
            (e["prompt"] + e[side], [IGNORE] * len(e["prompt"]) + e[side])
            for side in ("chosen", "rejected")
            for e in examples
        ]
        known = {name: [e[name] for e in examples] for name in examples[0] if name.startswith("reference_")}
        return {**pad_rows(rows, pad), **{name: torch.tensor(values) for name, values in known.items()}}

    return together


def pad_rows(rows: list[tuple[list[int], list[int]]], pad: int) -> dict[str, Tensor]:
    """(ids, labels) of each row, padded on the right."""
    longest = max(len(ids) for ids, _ in rows)
    fill = {"input_ids": pad, "attention_mask": 0, "labels": IGNORE}
    filled = {name: torch.full((len(rows), longest), value) for name, value in fill.items()}
    for row, (ids, labels) in enumerate(rows):
        for name, values in (("input_ids", ids), ("attention_mask", [1] * len(ids)), ("labels", labels)):
            filled[name][row, : len(values)] = torch.tensor(values)
    return filled


class Preferences(Trainer):  # type: ignore[misc]
    """DPO and ORPO on the logits of all chosen and rejected rows in one padded batch."""

    objective = ""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """A mean over the pairs of the micro-batch."""
        return loss(model, inputs, self.objective)


def loss(model: Any, batch: dict[str, Tensor], objective: str) -> Tensor:
    """What the objective minimises, from all the logits of a padded batch."""
    if objective not in ("dpo", "orpo"):
        found: Tensor = model(**batch).loss
        return found
    answers, rows = sums(model, batch)
    chosen, rejected = answers.chunk(2)
    if objective == "orpo":
        sizes = (batch["labels"] != IGNORE).sum(1)
        chosen, rejected = (part / size for part, size in zip((chosen, rejected), sizes.chunk(2)))
        odds = (chosen - torch.log1p(-chosen.exp())) - (rejected - torch.log1p(-rejected.exp()))
        pairs = len(chosen)
        learned = batch["attention_mask"][:pairs, 1:].sum()
        return -rows[:pairs].sum() / learned - 0.1 * F.logsigmoid(odds).mean()
    if "reference_chosen" in batch:
        before = torch.cat([batch["reference_chosen"], batch["reference_rejected"]])
    else:
        with torch.no_grad(), model.disable_adapter():
            before = sums(model, batch)[0]
    ahead = (answers - before).chunk(2)
    return -F.logsigmoid(0.1 * (ahead[0] - ahead[1])).mean()


def sums(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(rows,) log-probabilities of the answers, and of everything after the first token."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    logps = logits.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return (logps * (batch["labels"][:, 1:] != IGNORE)).sum(1), (logps * mask[:, 1:]).sum(1)
