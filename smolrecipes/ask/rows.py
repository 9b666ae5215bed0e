"""What a held-out row asks a model, and what would be right, by its head."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from smolrecipes.data.rows import row_type

if TYPE_CHECKING:
    from random import Random

    from transformers import PreTrainedTokenizerBase

LONGEST = 160
"""Letters of a text that is shown, about."""


class Question(NamedTuple):
    """The texts that a model is asked, and the answer."""

    texts: list[str]
    right: str
    languages: tuple[str, str] = ("", "")


def question(row: dict[str, Any], head: str, tokenizer: PreTrainedTokenizerBase, rng: Random) -> Question | None:
    """One for this head; None where the row has none for it."""
    kind = row_type(row)
    if head in ("sequence-classification", "regression") and kind == "labelled":
        return Question(row.get("texts") or [row["text"]], str(row["label"]))
    if head == "multiple-choice" and kind == "choices":
        return Question([row["text"], *row["choices"]], row["choices"][row["label"]])
    if head == "token-classification" and kind == "tagged":
        return Question([" ".join(row["tokens"])], _tagged(row))
    if head == "question-answering" and kind == "question":
        return Question([row["question"], row["context"]], ", ".join(row["answers"]["text"]) or "(no answer)")
    if head == "seq2seq" and kind == "pair":
        return Question([row["source"]], row["target"], _languages(row, tokenizer))
    text = row.get("text") or row.get("source")
    if text and head == "discriminator":
        return _replaced(text, rng)
    return _hidden(text, head, tokenizer, rng) if text and head in MASKS else None


MASKS = ("masked", "pretraining", "entities", "permutation", "seq2seq")


def _hidden(text: str, head: str, tokenizer: PreTrainedTokenizerBase, rng: Random) -> Question | None:
    """The beginning of a text with a word left out, or three where a sentinel stands for several."""
    from smolrecipes.objectives.spans import sentinels

    hole, size = tokenizer.mask_token, 1
    if head == "seq2seq" and (marks := sentinels(tokenizer)):
        hole, size = tokenizer.decode([marks[0]]), 3
    text, words = _words(text)
    if not hole or len(words) < size:
        return None
    first = rng.randrange(len(words) - size + 1)
    start, end = words[first].start(), words[first + size - 1].end()
    return Question([f"{text[:start]}{hole}{text[end:]}"], text[start:end])


def _replaced(text: str, rng: Random) -> Question | None:
    """The beginning of a text with another of its words in the place of one."""
    text, words = _words(text)
    if len({word[0] for word in words}) < 2:
        return None
    word, other = rng.sample(words, 2)
    while word[0] == other[0]:
        word, other = rng.sample(words, 2)
    return Question([f"{text[: word.start()]}{other[0]}{text[word.end() :]}"], f"{other[0]} stands for {word[0]}")


def _words(text: str) -> tuple[str, list[re.Match[str]]]:
    """The beginning of a text, and its words of two letters and more."""
    border = re.search(r"\s", text[LONGEST:])
    text = " ".join(text[: LONGEST + border.start() if border else None].split())
    return text, [found for found in re.finditer(r"\w+", text) if len(found[0]) > 1]


def _tagged(row: dict[str, Any]) -> str:
    from smolrecipes.objectives.answers import is_bio, spans

    if not is_bio(row["tags"]):
        return " ".join(f"{word}/{tag}" for word, tag in zip(row["tokens"], row["tags"]))
    found = sorted(spans(row["tags"]))
    return ", ".join(f"{kind} {' '.join(row['tokens'][start:stop])}" for start, stop, kind in found) or "(nothing)"


def _languages(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    from smolrecipes.generate import languages

    named = (str(row.get("source_language") or ""), str(row.get("target_language") or ""))
    return named if set(named) <= set(languages(tokenizer)) else ("", "")
