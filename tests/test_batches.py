"""One order for any number of processes: what each step sees does not depend on ranks or micro-batches."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes.batches import Batches

sizes = st.integers(1, 60)


def steps(
    rows: int, batch: int, micro: int, world: int, seed: int | None = 3, epoch: int = 0, level: bool = False
) -> list[list[set[int]]]:
    """For each optimizer step, the rows that every (micro-step, rank) cell gets."""
    ranks, full = [], ceil(batch / (micro * world))
    for rank in range(world):
        batches = Batches(
            [row % 7 + 1 for row in range(rows)],
            batch=batch,
            steps=full,
            rank=rank,
            world=world,
            seed=seed,
            level=level,
        )
        batches.set_epoch(epoch)
        cells = list(batches)
        assert len(cells) == len(batches)
        ranks.append(cells)
    assert len({len(cells) for cells in ranks}) == 1  # ranks take equally many micro-steps
    found, at = [], 0
    while at < len(ranks[0]):
        found.append([set(cells[i]) for i in range(at, min(at + full, len(ranks[0]))) for cells in ranks])
        at += full
    return found


@given(rows=sizes, batch=sizes, micro=st.integers(1, 8), world=st.integers(1, 4))
def test_every_row_once_an_epoch_in_the_same_global_batches(rows: int, batch: int, micro: int, world: int) -> None:
    many = [set().union(*cells) for cells in steps(rows, batch, micro, world)]
    one = [set().union(*cells) for cells in steps(rows, batch, batch, 1)]
    assert many == one
    assert sorted(row for step in one for row in step) == list(range(rows))
    assert all(len(step) == batch for step in one[:-1])


@given(rows=sizes, batch=sizes, micro=st.integers(1, 8), world=st.integers(1, 4), level=st.booleans())
def test_no_cell_holds_more_than_a_micro_batch_or_a_row_twice(
    rows: int, batch: int, micro: int, world: int, level: bool
) -> None:
    for cells in steps(rows, batch, micro, world, level=level):
        assert all(len(cell) <= micro for cell in cells)
        assert sum(map(len, cells)) == len(set().union(*cells))


def test_the_order_is_the_seeds_and_the_epochs() -> None:
    def order(seed: int | None, epoch: int) -> list[int]:
        batches = Batches([1] * 40, batch=1, seed=seed)
        batches.set_epoch(epoch)
        return [row for cell in batches for row in cell]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1)
    assert order(None, 5) == list(range(40))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=80), st.integers(50, 200), st.integers(1, 3))
def test_a_batch_of_tokens_holds_at_least_so_many_and_every_row_comes_once(
    lengths: list[int], tokens: int, world: int
) -> None:
    ranks = [Batches(lengths, batch=1, steps=2, tokens=tokens, rank=r, world=world, seed=1) for r in range(world)]
    cells = [list(rank) for rank in ranks]
    assert all(len(found) == len(ranks[0]) == 2 * ranks[0].per_epoch for found in cells)
    steps = [[row for found in cells for cell in found[i : i + 2] for row in cell] for i in range(0, len(ranks[0]), 2)]
    assert sorted(row for step in steps for row in step) == list(range(len(lengths)))
    if sum(lengths) >= tokens:  # a batch begins with the first row of its share, so it may fall short by one row
        assert all(sum(lengths[row] for row in step) > tokens - 50 for step in steps)


@given(st.lists(st.integers(1, 500), min_size=8, max_size=64), st.integers(1, 4))
def test_level_cells_hold_about_as_many_tokens(lengths: list[int], world: int) -> None:
    batches = [Batches(lengths, batch=len(lengths), steps=2, level=True, rank=r, world=world) for r in range(world)]
    totals = [sum(lengths[row] for row in cell) for rank in batches for cell in rank]
    assert max(totals) - min(totals) <= max(lengths)


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=80),
    tokens=st.integers(50, 400),
    steps=st.integers(1, 4),
    world=st.integers(1, 2),
    total=st.integers(1, 60),
    staged=st.booleans(),
)
def test_padded_cells_of_a_batch_of_tokens_take_as_little_as_they_can_and_the_longest_is_the_largest(
    lengths: list[int], tokens: int, steps: int, world: int, total: int, staged: bool
) -> None:
    stages = [row % 3 for row in range(len(lengths))] if staged else None
    facts: dict[str, Any] = {"batch": 1, "steps": steps, "tokens": tokens, "seed": 1, "total": total, "stages": stages}
    ranks = [Batches(lengths, rank=rank, world=world, **facts) for rank in range(world)]
    cells = []
    for epoch in range(ceil(total / ranks[0].per_epoch)):
        for rank in ranks:
            rank.set_epoch(epoch)
        cells += [cell for one in zip(*ranks) for cell in one]
    for rank in ranks:
        rank.set_epoch(0)

    def computed(cell: list[int]) -> int:
        return len(cell) * max((lengths[row % len(lengths)] for row in cell), default=0)

    for start in range(0, len(cells), steps * world):
        step = cells[start : start + steps * world]
        ranked = sorted((row for cell in step for row in cell), key=lambda row: -lengths[row % len(lengths)])
        equal = max(computed(some.tolist()) for some in np.array_split(ranked, steps * world))
        assert max(map(computed, step)) <= equal
        assert all(step) or all(len(cell) < 2 for cell in step)
    assert computed(ranks[0].longest()) >= max(map(computed, cells))


def test_what_is_computed_decides_where_it_is_less_than_what_counts() -> None:
    """A pair's prompt counts twice and, packed, is computed once."""
    pairs = Batches([1840, 1740], costs=[940, 1720], batch=2, steps=2, level=True)
    assert pairs.longest() == [1]


def test_held_out_rows_that_are_padded_come_by_their_lengths() -> None:
    lengths = [3, 9, 5, 9, 1]
    assert list(Batches(lengths, batch=2)) == [[1, 3], [2, 0], [4]]
    assert list(Batches(lengths, batch=2, level=True)) == [[1, 0], [3, 2], [4]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 12), st.integers(1, 3), st.booleans())
def test_where_rows_are_always_padded_global_batches_are_of_like_length(
    lengths: list[int], batch: int, world: int, by_tokens: bool
) -> None:
    """Drawn from 50 of them; the same for any number of processes, other ones in each pass, and one that is not whole last."""

    def told(epoch: int, world: int = 1) -> list[set[int]]:
        tokens = {"tokens": 50 * batch} if by_tokens else {}
        ranks = []
        for rank in range(world):
            found = Batches(lengths, batch=batch, rank=rank, world=world, seed=3, by_length=True, **tokens)
            found.set_epoch(epoch)
            ranks.append([*found])
        return [{row for cell in cells for row in cell} for cells in zip(*ranks, strict=True)]

    once = told(0)
    assert sorted(row for rows in once for row in rows) == list(range(len(lengths)))
    if not by_tokens:
        assert {len(rows) for rows in once[:-1]} <= {batch}
    assert once == told(0, world)
    if len(once) <= 50:  # all drawn together
        bounds = sorted((min(lengths[row] for row in rows), max(lengths[row] for row in rows)) for rows in once if rows)
        assert all(before[1] <= after[0] for before, after in pairwise(bounds))
    assert len(once) < 8 or once != told(1)


def test_windows_are_drawn_anew_and_batches_shuffled() -> None:
    """More rows than a window: no pass goes from long to short, nor do the same rows meet again."""
    lengths = [row % 97 + 1 for row in range(4000)]
    found = Batches(lengths, batch=8, seed=0, by_length=True)
    first = [*found]
    found.set_epoch(1)
    assert not {frozenset(rows) for rows in first} & {frozenset(rows) for rows in found}
    means = np.array([np.mean([lengths[row] for row in rows]) for rows in first])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.15
    padding = 1 - sum(lengths) / sum(max(lengths[row] for row in rows) * len(rows) for rows in first)
    at_random = [*Batches(lengths, batch=8, seed=0)]
    before = 1 - sum(lengths) / sum(max(lengths[row] for row in rows) * len(rows) for rows in at_random)
    assert padding < 0.03 and before > 0.4


@given(rows=sizes, more=st.integers(0, 60), micro=st.integers(1, 8), world=st.integers(1, 4), level=st.booleans())
def test_the_longest_of_fewer_rows_than_a_batch_is_one_that_comes(
    rows: int, more: int, micro: int, world: int, level: bool
) -> None:
    lengths, steps = [row % 7 + 1 for row in range(rows)], ceil((rows + more) / (micro * world))
    facts: dict[str, Any] = {"batch": rows + more, "steps": steps, "world": world, "level": level, "seed": 3}
    ranks = [Batches(lengths, rank=rank, **facts) for rank in range(world)]
    assert set(ranks[0].longest()) in [set(cell) for rank in ranks for cell in rank]


@given(
    rows=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=40),
    tokens=st.integers(9, 40),
    total=st.integers(1, 30),
    seed=st.integers(0, 3),
)
def test_no_batch_of_tokens_within_the_run_of_a_curriculum_is_empty(
    rows: list[tuple[int, int]], tokens: int, total: int, seed: int
) -> None:
    lengths, stages = [length for length, _ in rows], [stage for _, stage in rows]
    batches = Batches(lengths, batch=1, tokens=tokens, seed=seed, stages=stages, total=total)
    found: list[list[int]] = []
    for epoch in range(ceil(total / batches.per_epoch)):
        batches.set_epoch(epoch)
        found += list(batches)
    assert all(found[:total]) and not any(found[total:])
    first = [min(stages[row % len(rows)] for row in batch) for batch in found[:total]]
    assert first == sorted(first)
