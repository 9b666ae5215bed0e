"""WordPiece: words, and pieces of the rarer ones."""

from __future__ import annotations

import unicodedata
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


class WordPiece(FromScratch, name="word_piece"):
    """WordPiece as BERT has it (Devlin et al. 2019), `##` before what goes on inside a word.

    Where there were spaces, and how many, is lost; a word with an unknown letter is the unknown token.
    """

    data: Data | None = option(default=None, kw_only=False)
    """Where it learns its pieces; None takes the recipe's own training rows."""
    vocab_size: Annotated[int, Ge(1)] = 8192
    """Tokens, the control tokens included."""
    normalizers: tuple[Normalizer, ...] = ()
    """What is done to every text first, in this order: lowercase, strip_accents, nfc, nfkc. BERT uncased: the first two."""
    max_megabytes: Annotated[int, Ge(1)] = 100
    """Learn from about this much text, evenly spread over the rows."""

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """Trained on `data`, or else on `rows`; AutoTokenizer reloads it identically."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models, pre_tokenizers, trainers

        control = self.control()
        letters = self._letters(rows, (self.room(self.vocab_size, 100) - len(control)) // 3)
        if not letters:
            raise nothing("WordPiece")
        every = [*control, *letters, *(f"##{letter}" for letter in letters if not _alone(letter))]
        learner = Backend(models.WordPiece(unk_token=self.unknown()))
        learner.normalizer = normalizer(self.normalizers)
        learner.pre_tokenizer = pre_tokenizers.Sequence([apart(control), pre_tokenizers.BertPreTokenizer()])
        # Letters are given to it in our order: in its own, which changes, the same rows would make other pieces.
        trainer = trainers.WordPieceTrainer(
            vocab_size=self.vocab_size, special_tokens=every, limit_alphabet=len(letters), show_progress=False
        )
        learner.train_from_iterator(learning_text(self.data, rows, self.max_megabytes, "WordPiece"), trainer)
        backend = Backend(models.WordPiece(learner.get_vocab(), unk_token=self.unknown()))
        backend.normalizer = learner.normalizer
        backend.pre_tokenizer = learner.pre_tokenizer
        backend.decoder = decoders.WordPiece(prefix="##", cleanup=True)
        return self.wrapped(backend)

    def _letters(self, rows: Dataset | None, most: int) -> list[str]:
        """The characters of the text that it learns from, in code point order; the most frequent where they are many."""
        change = normalizer(self.normalizers)
        seen: Counter[str] = Counter()
        for text in learning_text(self.data, rows, self.max_megabytes, "WordPiece"):
            seen.update(change.normalize_str(text) if change else text)
        return sorted(frequent(Counter({x: count for x, count in seen.items() if not x.isspace()}), most))


def _alone(letter: str) -> bool:
    """Whether it is punctuation, which is always a word by itself."""
    return unicodedata.category(letter)[0] == "P" or (letter.isascii() and not letter.isalnum())
