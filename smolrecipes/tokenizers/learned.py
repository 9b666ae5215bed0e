"""What the tokenizers that learn from text share: the text, evenly sampled, and what is done to it first."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset

    from smolrecipes.kinds import Data

Normalizer: TypeAlias = Literal["lowercase", "strip_accents", "nfc", "nfkc"]
PIECE = 10_000
"""Characters of a piece, where rows are too few and too long to be sampled whole."""


def normalizer(names: tuple[Normalizer, ...]) -> Any:
    """The normalisers of these names, in this order; None for none."""
    from tokenizers import normalizers as made

    steps: dict[str, list[Any]] = {
        "lowercase": [made.Lowercase()],
        "strip_accents": [made.NFD(), made.StripAccents(), made.NFC()],
        "nfc": [made.NFC()],
        "nfkc": [made.NFKC()],
    }
    return made.Sequence([step for name in names for step in steps[name]]) if names else None


def apart(control: list[str]) -> Any:
    """What keeps the spelling of a control token, where a text has it, from being read as one: its first letter goes apart."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    first = "".join(sorted({re.escape(token[0]) for token in control}))
    every = "|".join(re.escape(token) for token in control)
    return Split(Regex(rf"(?=[{first}])(?=(?:{every}))[\s\S]"), "isolated")


def frequent(seen: Counter[str], most: int) -> list[str]:
    """The most frequent characters, at most so many, and none for which others as frequent had to be left out."""
    ordered = sorted(seen, key=lambda letter: (-seen[letter], letter))
    rest = seen[ordered[most]] if len(ordered) > most else 0
    return [letter for letter in ordered[:most] if seen[letter] > rest]


def nothing(who: str) -> RecipeError:
    """What to say where `frequent` leaves no character."""
    return RecipeError(
        f"{who}: the rows hold no text to learn from: they are empty, or have only characters too rare for its "
        "vocab_size; give it other data, or take byte_bpe"
    )


def learning_text(data: Data | None, rows: Dataset | None, megabytes: int, who: str) -> Iterator[str]:
    """About so much text of `data`, or else of `rows`; RecipeError when there is neither."""
    found = data.load() if data else rows
    if found is None:
        raise RecipeError(f"{who}: there are no rows to learn from; give it data, as in {who}(Files('a.txt'))")
    return sample(found, megabytes * 1_000_000)


def sample(rows: Dataset, limit: int) -> Iterator[str]:
    """Strings of about `limit` bytes in all, evenly spread over the rows; the same rows give the same strings.

    One of every few rows is drawn, seeded, so that rows that take turns (two files, two languages) all come up. Where
    rows are few and long, it is pieces of them.
    """
    from smolrecipes.data.rows import each, texts

    size = rows.data.nbytes * len(rows) / max(1, len(rows.data))
    step, rng = max(1, round(size / limit)), random.Random(0)
    if step > 1 and len(rows) >= 100 * step:
        rows = rows.select([min(len(rows) - 1, start + rng.randrange(step)) for start in range(0, len(rows), step)])
        step = 1
    for row in each(rows):
        for text in texts(row):
            yield from [text] if step == 1 else _pieces(text, step, rng)


def _pieces(text: str, step: int, rng: random.Random) -> Iterator[str]:
    """One of every `step` pieces of a text."""
    for start in range(rng.randrange(step) * PIECE, len(text), step * PIECE):
        yield text[start : start + PIECE]
