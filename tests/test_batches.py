"""One order for any number of processes: what each step sees does not depend on ranks or micro-batches."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from smolrecipes.batches import Batches

sizes = st.integers(1, 60)


def steps(rows: int, batch: int, micro: int, world: int, seed: int | None = 3, epoch: int = 0) -> list[list[set[int]]]:
    """For each optimizer step, the rows that every (micro-step, rank) cell gets."""
    ranks = []
    for rank in range(world):
        batches = Batches(
            [row % 7 + 1 for row in range(rows)], batch=batch, micro=micro, rank=rank, world=world, seed=seed
        )
        batches.set_epoch(epoch)
        cells = list(batches)
        assert len(cells) == len(batches)
        ranks.append(cells)
    assert len({len(cells) for cells in ranks}) == 1  # ranks take equally many micro-steps
    full, found, at = ceil(batch / (micro * world)), [], 0
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


@given(rows=sizes, batch=sizes, micro=st.integers(1, 8), world=st.integers(1, 4))
def test_no_cell_holds_more_than_a_micro_batch_or_a_row_twice(rows: int, batch: int, micro: int, world: int) -> None:
    for cells in steps(rows, batch, micro, world):
        assert all(len(cell) <= micro for cell in cells)
        assert sum(map(len, cells)) == len(set().union(*cells))


def test_the_order_is_the_seeds_and_the_epochs() -> None:
    def order(seed: int | None, epoch: int) -> list[int]:
        batches = Batches([1] * 40, batch=1, micro=1, seed=seed)
        batches.set_epoch(epoch)
        return [row for cell in batches for row in cell]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1)
    assert order(None, 5) == list(range(40))
