"""Unigram: the pieces under which the text is most likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from smolrecipes.component import option
from smolrecipes.kinds import Data
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import FromScratch, Normalizer, learning_text, normalizer

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


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
        from tokenizers import decoders, models, pre_tokenizers, trainers

        backend = Backend(models.Unigram())
        backend.normalizer = normalizer(self.normalizers)
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
        backend.decoder = decoders.Metaspace(prepend_scheme="never")
        trainer = trainers.UnigramTrainer(
            vocab_size=self.room(self.vocab_size, 100),
            special_tokens=self.control(),
            unk_token=self.unknown(),
            show_progress=False,
        )
        backend.train_from_iterator(learning_text(self.data, rows, self.max_megabytes, "Unigram"), trainer)
        return self.wrapped(backend)
