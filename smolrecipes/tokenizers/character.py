"""Characters: every character of the text is one token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from smolrecipes.component import option
from smolrecipes.kinds import Data
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import learning_text
from smolrecipes.tokenizers.scratch import FromScratch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class Characters(FromScratch, name="characters"):
    """One token for each character (Unicode code point) that the text holds; every other one becomes the unknown token.

    Text whose characters are all known comes back exactly, spaces and line ends included. No text, whatever it spells,
    becomes a control token.
    """

    data: Data | None = option(default=None, kw_only=False)
    """Where it finds its characters; None takes the recipe's own training rows."""
    max_megabytes: Annotated[int, Ge(1)] = 100
    """Look through about this much text, evenly spread over the rows."""
    chat_template: str = option(default="none", added=True)
    """How messages are written as text: none, chatml or another template's name, or a file, as in my.jinja."""
    reserved: ClassVar[tuple[str, ...]] = ()

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """With the characters of `data`, or else of `rows`, in code point order; AutoTokenizer reloads it identically."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models

        seen: set[str] = set()
        for text in learning_text(self.data, rows, self.max_megabytes, "Characters"):
            seen.update(text)
        control = self.control()
        vocabulary = {token: index for index, token in enumerate([*control, *sorted(seen - {*control})])}
        # BPE without merges leaves characters alone, in a third of the time that splitting them apart takes.
        backend = Backend(models.BPE(vocab=vocabulary, merges=[], unk_token=self.unknown()))
        backend.decoder = decoders.Fuse()
        return self.wrapped(backend, split_special_tokens=True)
