"""Texts as hashed runs of words (shingles; Broder 1997), many texts at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Sizes = NDArray[np.int64]

BATCH = 1 << 18
"""Characters of a batch, about: what is computed of them stays in a core's cache. Longer texts are cut."""
BORDER = re.compile(r"[\s!-/:-@\[-^`{-~。、！？，]")
"""Signs before which a text is cut: no word has them, and none becomes one with what comes before (NFKC)."""
LETTER = np.uint64(0x9E3779B97F4A7C15)
WORD = np.uint64(0xD1342543DE82EF95)
MIX = np.uint64(0xBF58476D1CE4E5B9)


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists that are worth a computation each."""
    batch: list[str] = []
    room = BATCH
    for text in texts:
        batch.append(text)
        room -= len(text)
        if room <= 0:
            yield batch
            batch, room = [], BATCH
    if batch:
        yield batch


def shingles(texts: Sequence[str], words: int) -> tuple[Hashes, Sizes]:
    """The hashes of all runs of so many words, one text after the other, and how many each text has.

    A text of fewer words is one run. Words are those of `data.rows.normal`: case and punctuation do not count.
    """
    hashes, sizes = word_hashes(texts)
    return runs(hashes, sizes, words)


def word_hashes(texts: Sequence[str]) -> tuple[Hashes, Sizes]:
    """A hash of each word of all texts, and how many each text has: a text without words counts as one."""
    pieces = [(index, piece) for index, text in enumerate(texts) for piece in _pieces(text)]
    made = [_words(batch) for batch in [[], *batches(piece for _, piece in pieces)]]
    hashes, counts = (np.concatenate(part) for part in zip(*made))
    owners = np.array([index for index, _ in pieces], dtype=np.int64)
    sizes = np.bincount(owners, weights=counts, minlength=len(texts)).astype(np.int64)
    (bare,) = np.nonzero(sizes == 0)
    if len(bare):
        signs = np.array([_of_signs(texts[index]) for index in bare.tolist()], dtype=np.uint64)
        hashes, sizes = np.insert(hashes, np.cumsum(sizes)[bare], signs), np.maximum(sizes, 1)
    return hashes, sizes


def _pieces(text: str) -> Iterator[str]:
    """The text; a long one in pieces, so that what is computed at once stays small."""
    start = 0
    while len(text) - start > BATCH and (border := BORDER.search(text, start + BATCH)):
        yield text[start : border.start()]
        start = border.start()
    yield text[start:]


def _words(texts: Sequence[str]) -> tuple[Hashes, Sizes]:
    """A hash of each word, and how many each text has."""
    plain = [_plain(text) for text in texts]
    codes = np.frombuffer("\n".join([*plain, ""]).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    inside = np.zeros(len(codes) + 1, dtype=np.int8)
    inside[1:] = _in_words(int(codes.max(initial=0)) >> 16)[codes]
    steps = np.diff(inside)
    starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    powers, inverse = _powers(len(codes))
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * powers, out=sums[1:])
    hashes = _mixed((sums[stops] - sums[starts]) * inverse[starts])
    ends = np.cumsum([len(text) + 1 for text in plain])
    return hashes, np.diff(np.searchsorted(starts, ends), prepend=0)


def runs(hashes: Hashes, sizes: Sizes, words: int) -> tuple[Hashes, Sizes]:
    """The hashes of the runs of so many words; a text that has fewer is one run."""
    starts = np.cumsum(sizes) - sizes
    whole = np.arange(len(hashes)) + words <= np.repeat(starts + sizes, sizes)
    found, there = np.zeros(len(hashes), dtype=np.uint64), np.zeros(len(hashes), dtype=bool)
    for size, running in growing(hashes, words):
        at = starts[sizes == size] if size < words else np.flatnonzero(whole)
        found[at], there[at] = running[at], True
    return _mixed(found[there]), np.maximum(sizes - words + 1, 1)


def growing(hashes: Hashes, words: int) -> Iterator[tuple[int, Hashes]]:
    """For each number of words up to `words`, the hash of the run of so many from each word on."""
    running = np.zeros(len(hashes) + 1, dtype=np.uint64)
    for size in range(1, min(words, len(hashes)) + 1):
        running = running[:-1] * WORD + hashes[size - 1 :]
        yield size, running


def _plain(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _of_signs(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit depends on every other."""
    hashes = (hashes ^ (hashes >> np.uint64(32))) * MIX
    mixed: Hashes = hashes ^ (hashes >> np.uint64(29))
    return mixed


@lru_cache
def _in_words(planes: int) -> NDArray[np.bool_]:
    """Of each code point up to so many planes of Unicode, whether words are made of it, as `\\w` says."""
    return np.array([sign.isalnum() or sign == "_" for sign in map(chr, range(planes + 1 << 16))])


@lru_cache(maxsize=2)
def _enough(size: int) -> tuple[Hashes, Hashes]:
    inverse = pow(int(LETTER), -1, 1 << 64)
    up, down = (np.full(size, base, dtype=np.uint64) for base in (LETTER, np.uint64(inverse)))
    return np.multiply.accumulate(up), np.multiply.accumulate(down)


def _powers(size: int) -> tuple[Hashes, Hashes]:
    """The powers of a letter's place, and their inverses modulo 2**64."""
    enough = max(BATCH, 1 << size.bit_length())
    up, down = (_enough if enough <= 4 * BATCH else _enough.__wrapped__)(enough)  # a long word's are not kept
    return up[:size], down[:size]
