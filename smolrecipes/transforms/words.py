"""Words and sentences for datatrove's filters, without a model: what counts as a word decides what they drop."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

Words = Literal["regex", "whitespace", "spacy"]
WORD = re.compile(r"\w+(?:[.,'’]\w+)*|[^\w\s]+")
"""`don't`, `3.14`, and each run of punctuation by itself, much as spaCy tells them apart."""
SENTENCE = re.compile(r"[.!?…。！？][\"'”’)\]]*(?=\s)\s*|[。！？]")
"""The end of one, with the white space after it."""


def word_tokenizer(words: Words) -> Any:
    """What datatrove takes for a `language`: a tokenizer, or the code of the one that it brings itself."""
    return "en" if words == "spacy" else _plain()(words)


@cache
def _plain() -> type[Any]:
    """The class, made here since datatrove is imported only where it is used."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Plain(WordTokenizer):  # type: ignore[misc]
        """Words by a regular expression or by white space."""

        def word_tokenize(self, text: str) -> list[str]:
            return text.split() if self.language == "whitespace" else WORD.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [text[start:end].strip() for start, end in self.span_tokenize(text)]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            ends = [*(found.end() for found in SENTENCE.finditer(text)), len(text)]
            return [(start, end) for start, end in zip([0, *ends], ends) if start < end]

        def __eq__(self, other: object) -> bool:  # datatrove keeps the last words by text and tokenizer
            return isinstance(other, Plain) and self.language == other.language

        def __hash__(self) -> int:
            return hash(self.language)

    return Plain
