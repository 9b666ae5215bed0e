"""The held-out split: drawn, what is the same, nearly the same or a phrase of a training text on one side; or the last."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from smolrecipes.console import say
from smolrecipes.data.rows import Row, each, make, prompt_key, row_type, texts
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from datasets import Dataset

MANY = 10_000
"""Texts from which on it takes a while to find which lie inside others, so that it is said."""
NEAR = 0.7
"""Jaccard's index of rows that are nearly the same: the share of their runs of words that both have."""
WORDS = 5
"""Words of such a run."""


def split(rows: Dataset, share_or_count: float, seed: int) -> tuple[Dataset, Dataset]:
    """Training and held-out rows, each in their order. A share is below 1, a count a whole number; 0 holds out nothing.

    Which rows are held out follows from the seed and the prompts: not from the order, the processes or hash seeds.
    """
    if share_or_count == 0:
        return rows, rows.select([])
    return _sides(rows, _held(_groups(rows), _target(len(rows), share_or_count), seed))


def split_phrases(rows: Dataset, share_or_count: float, seed: int) -> tuple[Dataset, Dataset]:
    """As `split`, and no held-out text lies inside a training text.

    Texts that lie inside no other are drawn. What lies inside one is held out with it, unless a training text holds it too.
    """
    from smolrecipes.data.phrases import inside

    groups, target = _groups(rows), _target(len(rows), share_or_count)
    if len(groups) > MANY:
        say(f"finding which of {len(groups):,} texts lie inside others, to hold both out")
    within = inside(list(groups))
    held: list[int] = []
    left = {part: len(wholes) for part, wholes in within.items()}
    parts: dict[str, list[str]] = {}
    for part, wholes in within.items():
        for whole in wholes:
            parts.setdefault(whole, []).append(part)
    for key in _drawn([key for key in groups if key not in within], seed):
        with_it = [key, *(part for part in parts.get(key, ()) if left[part] == 1)]
        found = [index for one in with_it for index in groups[one]]
        if len(held) + len(found) > min(target, len(rows) - 1):
            continue
        held += found
        for part in parts.get(key, ()):
            left[part] -= 1
        if len(held) == target:
            break
    if not held:
        raise RecipeError("validation: every text lies inside another or holds too many of them; hold out more rows")
    return _sides(rows, held)


def split_near(rows: Dataset, share_or_count: float, seed: int) -> tuple[Dataset, Dataset]:
    """As `split`, and no held-out row is a near-duplicate of a training row, as `DropNearDuplicates` finds them."""
    from smolrecipes.near.families import families

    groups, target = _groups(rows), _target(len(rows), share_or_count)
    if len(rows) > MANY:
        say(f"finding which of {len(rows):,} rows are nearly the same, to keep them on one side")
    first = families(lambda: ("\n".join(texts(row)) for row in each(rows)), NEAR, WORDS)
    together = _together(groups, first.tolist())
    if len(together) < 2:
        raise RecipeError(
            f"validation: the {len(rows)} rows are all nearly the same, one by way of the other, so none can be held out; "
            "give validation data of its own, or take holdout=random"
        )
    return _sides(rows, _held(together, target, seed))


def _together(groups: dict[str, list[int]], first: list[int]) -> dict[str, list[int]]:
    """The groups that have rows of one family, as one, under the first of their keys."""
    above = [*range(len(first))]  # of each family one that it is part of, or itself

    def top(name: int) -> int:
        while above[name] != name:
            above[name] = name = above[above[name]]
        return name

    for rows in groups.values():
        for row in rows[1:]:
            one, other = sorted((top(first[rows[0]]), top(first[row])))
            above[other] = one
    keys: dict[int, list[str]] = {}
    for key, rows in groups.items():
        keys.setdefault(top(first[rows[0]]), []).append(key)
    return {min(some): [row for key in some for row in groups[key]] for some in keys.values()}


def _groups(rows: Dataset) -> dict[str, list[int]]:
    """The rows that ask the same, by what they ask."""
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(each(rows)):
        groups.setdefault(prompt_key(row), []).append(index)
    if len(groups) < 2:
        raise RecipeError(
            f"validation: every row ({len(rows)} in all) has the same prompt or text, so none can be held out; "
            "give validation data of its own, or validation=0"
        )
    return groups


def _sides(rows: Dataset, held: list[int]) -> tuple[Dataset, Dataset]:
    out = set(held)
    return rows.select([i for i in range(len(rows)) if i not in out]), rows.select(sorted(out))


def split_last(rows: Dataset, share_or_count: float) -> tuple[Dataset, Dataset]:
    """As `split`, but the held-out rows are the last ones. A share of text is of its characters: it may cut a row in two."""
    if share_or_count < 1 and row_type(rows) == "text":
        return _cut(rows, share_or_count)
    start = len(rows) - _target(len(rows), share_or_count)
    if start < 1:
        raise RecipeError(f"validation: holding out {share_or_count:g} of {len(rows)} rows leaves none to train on")
    return rows.select(range(start)), rows.select(range(start, len(rows)))


def _cut(rows: Dataset, share: float) -> tuple[Dataset, Dataset]:
    """The text before and after the character at which its last `share` begins."""
    left = border = int((1 - share) * sum(len(row["text"]) for row in each(rows)))
    train: list[Row] = []
    held_out: list[Row] = []
    for row in each(rows):
        parts = ((train, row["text"][:left]), (held_out, row["text"][left:]))
        for side, text in parts:
            side += [{**row, "text": text}] if text else []
        left = max(0, left - len(row["text"]))
    if not border or not held_out:
        raise RecipeError(f"validation: the last {share:.4g} of so little text leaves nothing on one side")
    return make("text", train), make("text", held_out)


def _target(size: int, share_or_count: float) -> int:
    if share_or_count < 0 or (share_or_count > 1 and share_or_count != int(share_or_count)):
        raise RecipeError(f"validation: should be a share below 1 or a whole number of rows, not {share_or_count:g}")
    if share_or_count >= 1 and share_or_count >= size:
        raise RecipeError(
            f"validation: holding out {share_or_count:g} of {size} rows leaves none to train on; hold out fewer"
        )
    return max(1, round(share_or_count * size) if share_or_count < 1 else int(share_or_count))


def _held(groups: dict[str, list[int]], target: int, seed: int) -> list[int]:
    """Rows of whole groups, in an order drawn by hashing, up to the target; of the smallest group where none fits."""
    drawn = _drawn(groups, seed)
    held: list[int] = []
    left = sum(map(len, groups.values()))
    for key in drawn:
        if len(held) + len(groups[key]) <= min(target, left - 1):
            held += groups[key]
        if len(held) == target:
            break
    return held or groups[min(drawn, key=lambda key: len(groups[key]))]


def _drawn(keys: Iterable[str], seed: int) -> list[str]:
    """In an order that follows from the seed and each key alone."""
    return sorted(keys, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogatepass")).digest())
