"""Mixtures: shares by rows, bytes, tokens and temperature, repeats, stages; and runs that go through stages."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from smolrecipes import (
    BERT,
    CLM,
    DPO,
    MLM,
    SFT,
    ByteBPE,
    Bytes,
    Callback,
    Chats,
    Decoding,
    Files,
    Llama,
    Mix,
    Recipe,
    RecipeError,
    Run,
    Toy,
    Training,
    run,
)  # fmt: skip
from smolrecipes.assemble import load_rows
from smolrecipes.batches import Batches
from smolrecipes.data.rows import convert
from smolrecipes.data.shares import counts, order, sizes, without_repeating
from smolrecipes.run import ready


def texts(folder: Path, name: str, count: int, length: int) -> Files:
    """Rows of so many bytes each, which begin with the file's letter."""
    rows = [{"text": f"{name[0]}{n:03}".ljust(length, name[0])} for n in range(count)]
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Files(str(folder / name))


def shares(rows: Any) -> dict[str, tuple[int, int]]:
    """By the first letter of their texts: rows and bytes."""
    found: dict[str, list[int]] = {}
    for text in rows["text"]:
        found.setdefault(text[0], []).append(len(text.encode()))
    return {letter: (len(sizes), sum(sizes)) for letter, sizes in found.items()}


def test_shares_by_bytes_and_tokens_are_shares_of_text(tmp_path: Path) -> None:
    sources = (texts(tmp_path, "a.jsonl", 100, 10), texts(tmp_path, "b.jsonl", 40, 100))
    by_rows, by_bytes = Mix(sources, weights=(1, 1)).load(), Mix(sources, weights=(1, 1), by="bytes").load()
    assert shares(by_rows) == {"a": (40, 400), "b": (40, 4000)}
    assert shares(by_bytes) == {"a": (100, 1000), "b": (10, 1000)}
    assert "mixed: 10 rows of 40 from Files(" in by_bytes.info.description
    assert by_bytes.info.description.endswith("0.00 MB (50.0% of the text)")
    assert shares(Mix(sources, weights=(1, 1), by="tokens", tokenizer=Bytes()).load()) == shares(by_bytes)
    many = Mix(sources, weights=(3, 1), by="bytes", rows=310).load()
    assert shares(many) == {"a": (300, 3000), "b": (10, 1000)}


def test_a_tokenizer_counts_what_it_makes_of_texts(tmp_path: Path) -> None:
    class Halves(Bytes, name="halves"):
        """Two bytes a token, near enough."""

        def build(self, rows: Any) -> Any:
            built = super().build(rows)
            return lambda texts, **_: {
                "input_ids": [ids[::2] for ids in built(texts, add_special_tokens=False)["input_ids"]]
            }

    loaded = texts(tmp_path, "a.jsonl", 3, 10).load()
    assert sizes(loaded, Halves().build(None)).tolist() == [5, 5, 5]
    chat = Toy("functions", rows=3).load()
    assert sizes(chat).tolist() == [sum(len(text.encode()) for text in _texts(row)) for row in chat]


def _texts(row: Any) -> list[str]:
    from smolrecipes.data.rows import texts

    return texts(row)


def test_temperature_brings_sources_closer(tmp_path: Path) -> None:
    sources = (texts(tmp_path, "a.jsonl", 160, 10), texts(tmp_path, "b.jsonl", 10, 10))
    assert shares(Mix(sources, temperature=1).load()) == {"a": (160, 1600), "b": (10, 100)}
    assert shares(Mix(sources, temperature=2).load()) == {"a": (40, 400), "b": (10, 100)}
    assert shares(Mix(sources, temperature=2, rows=100).load()) == {"a": (80, 800), "b": (20, 200)}
    more = Mix(sources, temperature=2, most_repeats=4).load()
    assert shares(more) == {"a": (160, 1600), "b": (40, 400)}
    assert Counter(more["text"][:]).most_common()[0][1] == 4


def test_what_a_source_cannot_give_the_others_give_or_it_is_said(tmp_path: Path) -> None:
    sources = (texts(tmp_path, "a.jsonl", 100, 10), texts(tmp_path, "b.jsonl", 5, 10))
    found = Mix(sources, weights=(1, 1), rows=100, most_repeats=4).load()
    assert shares(found) == {"a": (80, 800), "b": (20, 200)}
    short = Mix(sources, weights=(1, 1), rows=500, most_repeats=2).load()
    assert shares(short) == {"a": (200, 2000), "b": (10, 100)}
    assert "210 rows in all, not 500: no source gives its rows more than 2 times" in short.info.description


some = st.lists(st.tuples(st.integers(1, 30), st.floats(0.1, 9)), min_size=1, max_size=5)


@given(some, st.integers(1, 200), st.one_of(st.none(), st.integers(1, 4)))
def test_counts_keep_to_their_total_and_their_caps(sources: Any, total: int, most: int | None) -> None:
    caps = [most * size if most else inf for size, _ in sources]
    weights = [weight for _, weight in sources]
    found = counts(total, weights, caps)
    assert sum(found) == min(total, sum(caps)) and all(n <= cap for n, cap in zip(found, caps, strict=True))
    free = [n / w for n, w, cap in zip(found, weights, caps, strict=True) if n < cap - 1]
    assert not free or max(free) - min(free) <= 1 / min(weights) + 1e-9  # to the nearest row, as the weights say


@given(some)
def test_as_many_as_there_are_without_repeating(sources: Any) -> None:
    caps, weights = [size for size, _ in sources], [weight for _, weight in sources]
    total = without_repeating(caps, weights)
    assert all(n <= cap for n, cap in zip(counts(total, weights, caps), caps, strict=True))
    assert any((total + 1) * w / sum(weights) > cap - 1e-6 for w, cap in zip(weights, caps, strict=True))


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), min_size=1, max_size=4), st.booleans())
def test_no_row_comes_again_before_all_of_its_source_have_come(sources: Any, apart: bool) -> None:
    lengths, wanted = [size for size, _ in sources], [count for _, count in sources]
    found = order(lengths, wanted, apart)
    ends = np.cumsum([0, *lengths])
    for source, (size, count) in enumerate(sources):
        own = [index for index in found if ends[source] <= index < ends[source + 1]]
        assert len(own) == count
        assert all(
            len(set(own[start : start + size])) == len(own[start : start + size]) for start in range(0, count, size)
        )
    owners = np.searchsorted(ends, found, side="right")
    assert not apart or sorted(owners) == owners.tolist()


def test_new_options_leave_the_fingerprints_of_older_runs() -> None:
    mix = Mix((Toy("stories", rows=8), Toy("stories", rows=8, seed=1)), weights=(1, 2))
    assert mix.identity().keys() == {"use", "sources", "weights", "rows"}
    assert mix.replace(by="bytes").fingerprint() != mix.fingerprint() != mix.replace(order="stages").fingerprint()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"weights": (1, 1), "temperature": 2}, "give weights or temperature, not both"),
        ({"by": "tokens", "weights": (1, 1)}, "by='tokens' and tokenizer go together"),
        ({"tokenizer": Bytes(), "weights": (1, 1)}, "by='tokens' and tokenizer go together"),
        ({"by": "bytes"}, "give weights or temperature"),
        ({"by": "tokens", "tokenizer": "some/where", "temperature": 2}, "a recipe finds out what 'some/where' is"),
        ({"temperature": 0.5}, "greater than or equal to 1"),
        ({"temperature": 9, "most_repeats": 0.1}, "would give no row"),
    ],
)
def test_one_sentence_says_what_does_not_go(options: Any, part: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Mix((Toy("stories", rows=9), Toy("stories", rows=8, seed=1)), **options).load()
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_stages_stay_with_rows_whatever_is_made_of_them(tmp_path: Path) -> None:
    stages = Mix((texts(tmp_path, "a.jsonl", 5, 9), texts(tmp_path, "b.jsonl", 3, 9)), order="stages")
    assert stages.load()["stage"][:] == [0] * 5 + [1] * 3
    assert "stage 2: 3 rows of 3 from Files(" in stages.load().info.description
    weighed = stages.replace(weights=(1, 2), rows=9).load()
    assert weighed["stage"][:] == [0] * 3 + [1] * 6 and {text[0] for text in weighed["text"][3:]} == {"b"}
    reviews = Mix((Toy("reviews", rows=2), Toy("reviews", rows=3, seed=1)), order="stages")
    assert Chats(reviews).load()["stage"][:] == [0, 0, 1, 1, 1]
    assert convert(reviews.load(), ("text",), "CLM")[0]["stage"][:] == [0, 0, 1, 1, 1]
    pairs = Mix((Toy("translations", rows=2), Toy("translations", rows=1, seed=1)), order="stages")
    assert convert(pairs.load(), ("messages",), "SFT")[0]["stage"][:] == [0, 0, 1]
    with pytest.raises(RecipeError, match="has stages of its own; only the outermost mixture can have them"):
        Mix((stages, stages)).load()


def stream(
    stages: list[int], batch: int, total: int, tokens: int | None = None, world: int = 1, **more: Any
) -> list[list[int]]:
    """Of each global batch of a run the rows by their stage and pass, as indices that tell the pass."""
    found: list[list[int]] = []
    lengths, size = [3 + row % 5 for row in range(len(stages))], len(stages)
    facts: dict[str, Any] = {
        "batch": batch,
        "tokens": tokens,
        "stages": stages,
        "total": total,
        "seed": 5,
        "world": world,
    }
    ranks = [Batches(lengths, rank=rank, **facts, **more) for rank in range(world)]
    for epoch in range(-(-total // ranks[0].per_epoch)):
        for one in ranks:
            one.set_epoch(epoch)
        made: list[int] = []
        for cells in zip(*ranks, strict=True):
            made += [row + epoch * size for cell in cells for row in cell]
            if tokens or len(made) == batch:
                found.append(made)
                made = []
        found += [made] if made else []
    return [sorted(cell, key=lambda row: (stages[row % size], row // size, row)) for cell in found[:total]]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_a_run_goes_through_the_stages_once(parts: list[int], batch: int, epochs: int, by_tokens: bool) -> None:
    """Whole epochs: every row once a pass, all passes over a stage before the next, no pass before the one before it."""
    stages = [stage for stage, size in enumerate(parts) for _ in range(size)]
    tokens = 8 * batch if by_tokens else None
    per_epoch = Batches([3 + row % 5 for row in range(len(stages))], batch=batch, tokens=tokens).per_epoch
    steps = stream(stages, batch, epochs * per_epoch, tokens)
    flat = [row for step in steps for row in step]
    assert len(steps) == epochs * per_epoch and sorted(flat) == list(range(epochs * len(stages)))
    places = [(stages[row % len(stages)], row // len(stages)) for row in flat]
    assert all(one <= other for one, other in pairwise(places))


@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 7), st.integers(1, 40))
def test_a_run_of_any_length_gives_each_stage_its_share(one: int, other: int, batch: int, steps: int) -> None:
    found = stream([0] * one + [1] * other, batch, steps)
    early = [row % (one + other) < one for step in found for row in step]
    assert len(found) == steps and sum(early) == len(early) * one // (one + other)
    assert early == sorted(early, reverse=True)


@given(st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(1, 20))
def test_processes_and_accumulation_change_no_batch_of_a_stage(world: int, steps: int, level: bool, total: int) -> None:
    stages = [0] * 13 + [1] * 9
    more = {"world": world, "steps": steps, "level": level}
    assert stream(stages, 6, total, **more) == stream(stages, 6, total)


SEEN: list[list[str]] = []


class Interrupted(Exception):
    """What the callback of these tests raises."""


class Seen(Callback):
    """Keeps which rows each step was made of, and may end the run."""

    after: int = 0
    """The step after which it ends; 0 for none."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        SEEN.append(sorted(kwargs["train_dataloader"].seen))
        if state.global_step == self.after:
            raise Interrupted


def recipe(folder: Path, **changes: Any) -> Recipe:
    (folder / "data").mkdir(exist_ok=True)
    sources = (texts(folder / "data", "a.jsonl", 8, 20), texts(folder / "data", "b.jsonl", 4, 20))
    made = Recipe(
        tokenizer=Bytes(),
        model=Llama(layers=1, hidden=32, heads=2),
        data=Mix(sources, order="stages"),
        objective=CLM(),
        training=Training(
            epochs=2, global_batch_size=2, max_length=44, learning_rate=1e-2, log_every=1, save_every=2, device="cpu",
            rehearse=False,
        ),
        validation=0,
        decoding=Decoding(max_new_tokens=2),
        callbacks=(Seen(),),
        title="staged",
    )  # fmt: skip
    return made.replace(**changes)


def weights(done: Run) -> dict[str, torch.Tensor]:
    return load_file(done.model / "model.safetensors")


def test_a_run_sees_one_stage_after_the_other_and_resumes_to_the_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two passes over each stage, the second stage in a later epoch; cut off within the first stage's second pass."""
    asked = recipe(tmp_path)
    SEEN.clear()
    whole = run(asked, runs=tmp_path / "whole")
    seen = [*SEEN]
    assert [{row[0] for row in step} for step in seen] == [{"a"}] * 4 + [{"b"}] * 2
    said = " ".join(capsys.readouterr().out.split())
    assert "tokens of a pass: a.jsonl 168 (66.7%), b.jsonl 84 (33.3%)" in said
    assert "training goes through the stages once" in said
    SEEN.clear()
    with pytest.raises(Interrupted):
        run(asked.replace(callbacks=(Seen(after=3),)), runs=tmp_path / "cut")
    done = run(asked, runs=tmp_path / "cut")
    assert "resumes from" in capsys.readouterr().out
    assert [*seen[:3], *seen[2:]] == SEEN
    expected, found = weights(whole), weights(done)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("documents", ["joined", "separate"])
def test_no_block_mixes_stages(documents: Any, tmp_path: Path) -> None:
    parts = ready(recipe(tmp_path, objective=CLM(documents=documents)), runs=tmp_path / "runs").parts
    assert len(parts.train) == 6
    for ids, stage in zip(parts.train["input_ids"], parts.train["stage"], strict=True):
        assert set(parts.tokenizer.decode(ids)) & {"a", "b"} == {"ab"[stage]}


def test_accumulation_changes_nothing_of_stages(tmp_path: Path) -> None:
    losses = []
    for micro in (2, 1):
        asked = recipe(tmp_path, callbacks=())
        trainer = ready(
            asked.replace(training=asked.training.replace(micro_batch_size=micro)), runs=tmp_path / f"runs-{micro}"
        ).trainer
        trainer.train()
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    assert len(losses[0]) == 6 and losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_what_is_drawn_follows_the_pass_and_not_the_epoch(tmp_path: Path) -> None:
    """Both passes over the first stage lie in the first epoch: the words that are hidden are not the same."""
    asked = recipe(
        tmp_path,
        tokenizer=ByteBPE(vocab_size=300, specials="bert"),
        model=BERT(layers=1, hidden=32, heads=2),
        objective=MLM(documents="separate"),
        callbacks=(),
    )
    loader = ready(asked, runs=tmp_path / "runs").trainer.get_train_dataloader()
    drawn: dict[int, list[list[int]]] = {}
    for cell in loader.batches:
        for row in cell:
            drawn.setdefault(row % len(loader.rows), []).append(loader.rows[row]["labels"].tolist())
    twice = [one for one in drawn.values() if len(one) == 2]
    assert len(twice) == 4 and any(one != other for one, other in twice)


def test_held_out_rows_are_in_no_stage_and_other_trainers_are_refused(tmp_path: Path) -> None:
    asked = recipe(tmp_path, validation=4)
    train, held_out, _ = load_rows(asked)
    assert held_out is not None and "stage" in train.column_names and "stage" not in held_out.column_names
    last = load_rows(asked.replace(validation=0.3, holdout="last"))
    assert "stage" in last[0].column_names and last[1] and "stage" not in last[1].column_names
    chats = Mix((Toy("preferences", rows=8), Toy("preferences", rows=8, seed=1)), order="stages")
    longer = asked.training.replace(max_length=256)
    other = asked.replace(data=chats, objective=DPO(engine="trl"), validation=0, training=longer)
    with pytest.raises(RecipeError, match="Mix.order=stages: .*orders the rows by itself"):
        ready(other, runs=tmp_path / "runs")
    grouped = longer.replace(group_by_length=True)
    with pytest.raises(
        RecipeError, match="training.group_by_length: a curriculum's stages order the rows; leave it out"
    ):
        ready(asked.replace(training=grouped), runs=tmp_path / "runs")
    alone = other.replace(data=Toy("preferences", rows=8), training=grouped)
    with pytest.raises(RecipeError, match="training.group_by_length: DPOTrainer orders the rows; leave it out"):
        ready(alone, runs=tmp_path / "runs")


def test_supervised_chats_go_through_stages_too(tmp_path: Path) -> None:
    chats = Mix((Toy("chat", rows=6), Toy("dictation", rows=6)), order="stages")
    training = Training(steps=6, global_batch_size=2, max_length=256, device="cpu", rehearse=False)
    asked = recipe(tmp_path, data=chats, objective=SFT(), training=training, callbacks=())
    loader = ready(asked, runs=tmp_path / "runs").trainer.get_train_dataloader()
    assert [{row.split(":")[1] for row in batch["origins"]} for batch in loader] == [{"chat"}] * 3 + [{"dictation"}] * 3
