"""Bytes: every byte of the text is one token; nothing is learned and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from smolrecipes.tokenizers.scratch import FromScratch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class Bytes(FromScratch, name="bytes"):
    """One token for each byte of the text in UTF-8 (ByT5, Xue et al. 2022): every text comes back exactly."""

    knows_all: ClassVar[bool] = True

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """The control tokens and the 256 bytes, in this order; the rows do not matter."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models, pre_tokenizers

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {token: index for index, token in enumerate([*self.control(), *alphabet])}
        backend = Backend(models.BPE(vocab=vocabulary, merges=[]))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.decoder = decoders.ByteLevel()
        return self.wrapped(backend)
