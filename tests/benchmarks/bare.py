"""The bare loop: our packed batches, made beforehand, and nothing that a step does not need. Its time is the yardstick."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from cases import Case
from padded import loaded
from torch import Tensor

from smolrecipes import attention
from smolrecipes.kinds import Layout
from smolrecipes.objectives.losses import dpo_loss, odds_ratio_loss, sequence_sums
from smolrecipes.objectives.vocabulary import label_logps, label_nll


def trained(case: Case, folder: Path, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Trains; calls `begin` and `end` around each step."""
    from datasets import load_from_disk
    from work import drawn, recipe

    model, tokenizer = loaded(case, folder)
    (model.get_base_model() if case.lora else model).set_attn_implementation(attention.NAME)
    objective, layout = recipe(case, folder).objective, Layout(tokenizer.pad_token_id, packed=True)
    examples = drawn(objective, load_from_disk(folder / "examples").to_list(), tokenizer)
    device, micro = torch.device(case.device), case.micro or case.batch
    model.to(device)
    batches = [
        moved(objective.collate(examples[at : at + micro], layout), device) for at in range(0, len(examples), micro)
    ]
    parts = case.batch // micro
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=5e-4, weight_decay=0.0, fused=True)
    steps = case.steps + case.warm
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    model.train()
    for step in range(steps):
        begin()
        for batch in batches[step * parts : (step + 1) * parts]:
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                part = loss(model, batch, case.objective) / parts
            part.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        end()


def moved(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch on the device."""
    return {name: part.to(device) if hasattr(part, "to") else part for name, part in batch.items()}


def loss(model: Any, batch: dict[str, Any], objective: str) -> Tensor:
    """The mean over the batch of what the objective minimises."""
    if objective == "classification":
        return F.cross_entropy(classified(model, batch), batch["target"])
    if objective not in ("dpo", "orpo"):
        return label_nll(*labelled(model, batch)) / len(batch["labels"])
    answers, logps = sums(model, batch)
    pairs = len(answers) // 2
    if objective == "orpo":
        means = answers / batch["answer_tokens"]
        learned = batch["rows"] < pairs
        nll = -(logps * learned).sum() / learned.sum()
        return nll + 0.1 * odds_ratio_loss(means[:pairs], means[pairs:]).mean()
    if "reference_chosen" in batch:
        before = torch.cat([batch["reference_chosen"], batch["reference_rejected"]])
    else:
        with torch.no_grad(), model.disable_adapter():
            before = sums(model, batch)[0]
    return dpo_loss(*answers.chunk(2), *before.chunk(2), beta=0.1).mean()


def sums(model: Any, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The answers' log-probabilities, (2 pairs,), and those of all labels, (labelled,)."""
    logps = label_logps(*labelled(model, batch))
    return sequence_sums(logps * batch["answer"], batch["rows"], batch["sequences"]), logps


def labelled(model: Any, batch: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Hidden states at the labelled positions, the head's weight, the labels, and the head's bias."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids", "spans") if name in batch}
    if "spans" in batch:
        inputs["attention_mask"] = batch["input_ids"].new_empty((1, 1, 1, 1))  # so that transformers builds none
    hidden = inner.base_model(**inputs, use_cache=False)[0].flatten(0, 1)[batch["at"]]
    head = inner.get_output_embeddings()
    if hasattr(inner, "cls"):  # a BERT's
        hidden = inner.cls.predictions.transform(hidden)
    return hidden, head.weight, batch["labels"], head.bias


def classified(model: Any, batch: dict[str, Any]) -> Tensor:
    """(texts, classes): a BERT's logits, of texts side by side."""
    body = model.bert
    hidden = body.embeddings(batch["input_ids"], position_ids=batch["position_ids"])
    hidden = body.encoder(hidden, attention_mask=hidden.new_empty((1, 1, 1, 1)), spans=batch["spans"])[0]
    starts = [span.start for span in batch["spans"].spans]
    logits: Tensor = model.classifier(body.pooler(hidden[0, starts][:, None]))
    return logits
