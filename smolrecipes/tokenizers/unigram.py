"""Unigram: the pieces under which the text is most likely."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated

from smolrecipes.component import option
from smolrecipes.kinds import Data
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import Normalizer, apart, frequent, learning_text, normalizer, nothing
from smolrecipes.tokenizers.scratch import FromScratch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SPACE = "▁"
WORD = re.compile(f"{SPACE}?[^{SPACE}\n]{{1,32}}|[{SPACE}\n]")
"""A word with the space before it, or 32 characters of a longer one; or the end of a line."""


class Unigram(FromScratch, name="unigram"):
    """A unigram language model over pieces of words (Kudo 2018), as T5, ALBERT and XLNet have it.

    Spaces come back as they were; characters that it did not see are the unknown token, and `▁` comes back as a space.
    """

    data: Data | None = option(default=None, kw_only=False)
    """Where it learns its pieces; None takes the recipe's own training rows."""
    vocab_size: Annotated[int, Ge(1)] = 8192
    """Tokens, the control tokens included; fewer where the text does not give as many."""
    normalizers: tuple[Normalizer, ...] = ()
    """What is done to every text first, in this order: lowercase, strip_accents, nfc, nfkc. T5: nfkc."""
    max_megabytes: Annotated[int, Ge(1)] = 1
    """Learn from about this much text, evenly spread over the rows: it takes about half a minute for each megabyte."""

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """Trained on `data`, or else on `rows`; AutoTokenizer reloads it identically."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models, pre_tokenizers

        from smolrecipes.tokenizers.likelihood import pieces

        control = self.control()
        size = self.room(self.vocab_size, 100) - len(control)
        seen = self._words(rows, size // 2)
        if seen.keys() <= {SPACE, "\n"}:
            raise nothing("Unigram")
        found = pieces(seen, size)
        known = [pair for pair in found if pair[0] not in control]
        backend = Backend(models.Unigram([*((token, found[-1][1]) for token in control), *known], self.unknown_id()))
        backend.normalizer = normalizer(self.normalizers)
        lines = pre_tokenizers.Split("\n", "isolated")
        words = pre_tokenizers.Metaspace(SPACE, "never")
        backend.pre_tokenizer = pre_tokenizers.Sequence([apart(control), lines, words])
        backend.decoder = decoders.Metaspace(SPACE, "never")
        return self.wrapped(backend)

    def _words(self, rows: Dataset | None, letters: int) -> Counter[str]:
        """How often each word is there, with the space before it, without letters rarer than so many."""
        change = normalizer(self.normalizers)
        words: Counter[str] = Counter()
        for text in learning_text(self.data, rows, self.max_megabytes, "Unigram"):
            words.update(WORD.findall((change.normalize_str(text) if change else text).replace(" ", SPACE)))
        seen: Counter[str] = Counter()
        for word, count in words.items():
            seen.update({letter: word.count(letter) * count for letter in set(word)})
        rare = set(seen) - {*frequent(seen, letters)}
        found: Counter[str] = Counter()
        for word, count in words.items():
            parts = [word] if rare.isdisjoint(word) else "".join(" " if x in rare else x for x in word).split(" ")
            found.update({part: count * parts.count(part) for part in parts if part})
        return found
