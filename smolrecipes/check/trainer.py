"""The checks of any transformers or TRL Trainer: its rows, some of its batches, its model, its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smolrecipes.check.finding import Finding, places
from smolrecipes.check.model import disk, model, precision
from smolrecipes.objectives.labels import IGNORE

BATCHES = 4
"""Batches that are looked at."""
ROWS = 2_000
"""Rows that are compared with each other."""


def trainer(given: Any) -> Iterator[Finding]:
    """Everything that can be seen before its first step."""
    tokenizer = getattr(given.processing_class, "tokenizer", given.processing_class)
    batches = _batches(given)
    longest = max((batch["input_ids"].shape[-1] for batch in batches if "input_ids" in batch), default=0)
    if not any("position_ids" in batch for batch in batches):
        yield from model(given.accelerator.unwrap_model(given.model), tokenizer, longest)
    else:
        yield from model(given.accelerator.unwrap_model(given.model), tokenizer)
    yield from _rows(given)
    yield from _labels(batches, tokenizer)
    yield from _arguments(given)
    yield from precision(given)
    yield from disk(given)


def _batches(given: Any) -> list[dict[str, Any]]:
    """The first batches, as its own loader makes them; what is random is as it was afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        loader = given.get_train_dataloader()
        return [dict(batch) for batch, _ in zip(loader, range(BATCHES))]


def _rows(given: Any) -> Iterator[Finding]:
    """The same rows twice, held-out rows among them, and pairs without a difference."""
    train, held_out = (_keys(some) for some in (given.train_dataset, given.eval_dataset))
    twice = len(train) - len(set(train))
    if twice > 0.02 * len(train):
        yield Finding("rows-twice", f"{twice:,} of {len(train):,} training rows were there before")
    both = len(set(train) & set(held_out))
    if both:
        what = f"{both:,} of {len(held_out):,} held-out rows are training rows as well"
        yield Finding("rows-overlap", what, serious=2 * both > len(held_out))
    for chosen, rejected in (
        ("chosen", "rejected"),
        ("chosen_input_ids", "rejected_input_ids"),
        ("chosen_ids", "rejected_ids"),
    ):
        names = getattr(given.train_dataset, "column_names", None) or []
        if {chosen, rejected} <= set(names):
            some = given.train_dataset[: min(ROWS, len(given.train_dataset))]
            same = [f"row {n}" for n, pair in enumerate(zip(some[chosen], some[rejected])) if pair[0] == pair[1]]
            if same:
                what = f"{len(same):,} of {len(some[chosen]):,} pairs have the same answer as chosen and rejected"
                yield Finding("rows-same-answers", what, places(same), serious=2 * len(same) > len(some[chosen]))
            return


def _keys(given: Any) -> list[int]:
    if given is None or isinstance(given, dict) or not hasattr(given, "__len__"):
        return []
    return [hash(repr(sorted((k, str(v)) for k, v in given[n].items()))) for n in range(min(ROWS, len(given)))]


def _labels(batches: list[dict[str, Any]], tokenizer: Any) -> Iterator[Finding]:
    """Batches without a label, beginnings that come twice, ends that are never learned."""
    labelled = [(batch["input_ids"], batch["labels"]) for batch in batches if {"input_ids", "labels"} <= set(batch)]
    labelled = [(ids, given) for ids, given in labelled if given.shape[:2] == ids.shape[:2] and given.dim() == 2]
    empty = sum(not bool((given != IGNORE).any()) for _, given in labelled)
    if empty:
        what = f"{empty} of the first {len(labelled)} batches have no label"
        yield Finding("batch-no-labels", what, serious=2 * empty > len(labelled))
    if tokenizer is None or not labelled:
        return
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    rows = [row for ids, _ in labelled for row in ids.tolist()]
    twice = sum(bos is not None and bos != tokenizer.pad_token_id and row[:2] == [bos, bos] for row in rows)
    if twice:
        yield Finding(
            "labels-two-starts", f"{twice:,} of {len(rows):,} sequences begin with {tokenizer.bos_token} twice"
        )
    learned = {int(token) for _, given in labelled for token in given.unique()}
    ends = {eos, *_turn_ends(tokenizer)} - {None}
    if ends and not ends & learned:
        named = " or ".join(tokenizer.convert_ids_to_tokens(sorted(ends)))
        yield Finding("labels-no-end", f"{named} is in no label of the first {len(labelled)} batches")


def _turn_ends(tokenizer: Any) -> set[int | None]:
    from smolrecipes.conversation.tokens import turn_end

    return {turn_end(tokenizer)} if getattr(tokenizer, "chat_template", None) else set()


def _arguments(given: Any) -> Iterator[Finding]:
    """Options of TrainingArguments that hide something, and a schedule of another length."""
    if given.args.logging_nan_inf_filter and not hasattr(given, "objective"):
        yield Finding("trainer-hides-nan", "logging_nan_inf_filter is on, as it is by default")
    scheduler, steps = given.lr_scheduler, given.args.max_steps
    foreseen = getattr(scheduler, "num_training_steps", None) or getattr(scheduler, "total_steps", None)
    if foreseen and steps > 0 and foreseen != steps:
        yield Finding("trainer-schedule", f"the schedule is made for {foreseen:,} steps, the run for {steps:,}")
