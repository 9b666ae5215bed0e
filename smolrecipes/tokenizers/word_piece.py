"""WordPiece: words, and pieces of the rarer ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from smolrecipes.component import option
from smolrecipes.kinds import Data
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import FromScratch, Normalizer, learning_text, normalizer

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

        backend = Backend(models.WordPiece(unk_token=self.unknown()))
        backend.normalizer = normalizer(self.normalizers)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##", cleanup=True)
        trainer = trainers.WordPieceTrainer(
            vocab_size=self.room(self.vocab_size, 100),
            special_tokens=self.control(),
            limit_alphabet=min(1000, (self.vocab_size - len(self.control())) // 2),
            show_progress=False,
        )
        backend.train_from_iterator(learning_text(self.data, rows, self.max_megabytes, "WordPiece"), trainer)
        return self.wrapped(backend)
