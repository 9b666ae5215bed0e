"""Which objective fits which architecture, and what must hold of each pair."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
from tiny import ALL, TOKENIZER, batch, outputs
from transformers import TrainerControl, TrainerState, TrainingArguments

from smolrecipes import (
    CLM,
    MLM,
    ByteBPE,
    Callback,
    LoRA,
    Objective,
    Recipe,
    RecipeError,
    Scratch,
    Toy,
    Trained,
    Training,
    run,
)
from smolrecipes.architectures.heads import auto_class, offered
from smolrecipes.builtin import smolrecipes_register_objectives
from smolrecipes.data.rows import row_type
from smolrecipes.data.toy import COLUMNS
from smolrecipes.objectives.trl import TRLObjective

OWN: dict[str, dict[str, Any]] = {"question_answering": {"overlap": 8}}
"""Options that an objective needs at this size."""
TOKENS = {"sentinels": 12, "languages": ("en", "it"), "extra": ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")}


class Pair(NamedTuple):
    """An objective and an architecture."""

    objective: type[Objective]
    model: Scratch

    def __str__(self) -> str:
        return f"{self.objective.name}-{self.model!r}"


def fits(objective: type[Objective], model: Scratch) -> bool:
    """As both say of themselves."""
    kind = model.config(TOKENIZER).model_type
    known = not objective.types or kind in objective.types
    return known and model.family in objective.families and objective.head in offered(kind, model.family)


OBJECTIVES = [one for one in smolrecipes_register_objectives() if not issubclass(one, TRLObjective)]
PAIRS = [Pair(objective, model) for objective in OBJECTIVES for model in ALL if fits(objective, model)]


TOYS = {"regression": "similarity"}
"""Data of an objective that does not read the first of its type."""


def toy(objective: type[Objective]) -> Toy:
    """A few rows of its best type."""
    task = TOYS.get(objective.name) or next(
        task for kind in objective.rows for task, columns in COLUMNS.items() if row_type(columns) == kind
    )
    return Toy(task, rows=24)  # type: ignore[arg-type]


def recipe(pair: Pair, how: str) -> Recipe:
    """Two steps of it."""
    model = pair.model.replace(max_length=128)
    own = OWN.get(pair.objective.name, {})
    tokenizer: ByteBPE | None = ByteBPE(vocab_size=480, **TOKENS).replace(specials=model.specials)
    if "teacher" in pair.objective.options():
        learned = CLM() if model.family == "decoder" else MLM()
        steps = Training(steps=1, global_batch_size=4, max_length=96)
        teacher = Recipe(
            model=model, tokenizer=tokenizer, data=Toy("stories", rows=24), objective=learned, training=steps
        )
        own, tokenizer = {**own, "teacher": Trained(teacher), "start": True}, None
    return Recipe(
        model=model,
        tokenizer=tokenizer,
        data=toy(pair.objective),
        validation=4,
        objective=pair.objective(**own),
        callbacks=(Keep(),),
        adapter=LoRA(r=2) if how == "lora" else None,
        training=Training(
            steps=2,
            global_batch_size=4,
            max_length=96,
            learning_rate=1e-2,
            gradient_checkpointing=how == "checkpointing",
        ),
    )


class Keep(Callback):
    """Keeps the model as it was when the training ended."""

    models: ClassVar[list[Any]] = []

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.models.append(deepcopy(kwargs["model"]))


def check_trains_and_reloads(pair: Pair, how: str, folder: Path) -> None:
    """Its held-out loss changes by training, and transformers alone reads a model that computes the same."""
    asked = recipe(pair, how)
    if how == "checkpointing" and "gradient checkpointing" in pair.model.lacks:
        with pytest.raises(RecipeError, match="gradient_checkpointing"):
            run(asked, runs=folder)
        return
    done = run(asked, runs=folder)
    trained, head = Keep.models.pop(), pair.objective.head
    assert done.results["before"]["loss"] != done.results["after"]["loss"]
    again = auto_class(head).from_pretrained(done.model, attn_implementation=pair.model.computed_by)
    given = batch(trained, head)
    for was, now in zip(outputs(trained, given), outputs(again, given), strict=True):
        torch.testing.assert_close(now, was, rtol=1e-4, atol=1e-5)
    if again.can_generate() and head != "permutation":
        written = again.generate(given["input_ids"][:1], max_new_tokens=3, do_sample=False)
        assert written.shape[1] >= 2
