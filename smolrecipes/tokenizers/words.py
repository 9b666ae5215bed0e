"""Words: every word of the text is one token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from smolrecipes.component import option
from smolrecipes.kinds import Data
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import Normalizer, apart, learning_text, normalizer
from smolrecipes.tokenizers.scratch import FromScratch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class Words(FromScratch, name="words"):
    """One token for each of the most frequent words, and for each run of punctuation; every other word is unknown.

    Where there were spaces, and how many, is lost.
    """

    data: Data | None = option(default=None, kw_only=False)
    """Where it finds its words; None takes the recipe's own training rows."""
    vocab_size: Annotated[int, Ge(1)] = 8192
    """Tokens, the control tokens included; fewer where the text has fewer words."""
    normalizers: tuple[Normalizer, ...] = ()
    """What is done to every text first, in this order: lowercase, strip_accents, nfc, nfkc."""
    max_megabytes: Annotated[int, Ge(1)] = 100
    """Learn from about this much text, evenly spread over the rows."""

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """Of `data`, or else of `rows`; AutoTokenizer reloads it identically."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models, pre_tokenizers, trainers

        learner = Backend(models.WordLevel(unk_token=self.unknown()))
        learner.normalizer = normalizer(self.normalizers)
        control = self.control()
        learner.pre_tokenizer = pre_tokenizers.Sequence([apart(control), pre_tokenizers.Whitespace()])
        trainer = trainers.WordLevelTrainer(
            vocab_size=self.room(self.vocab_size, 1), special_tokens=control, show_progress=False
        )
        learner.train_from_iterator(learning_text(self.data, rows, self.max_megabytes, "Words"), trainer)
        backend = Backend(models.WordLevel(learner.get_vocab(), unk_token=self.unknown()))
        backend.normalizer = learner.normalizer
        backend.pre_tokenizer = learner.pre_tokenizer
        # It joins words by spaces and takes those before punctuation away; no word begins with this prefix.
        backend.decoder = decoders.WordPiece(prefix="\uffff", cleanup=True)
        return self.wrapped(backend)
