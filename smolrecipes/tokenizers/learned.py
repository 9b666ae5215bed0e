"""What the tokenizers made from scratch share: control tokens, the wrapping, the text they learn from."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Tokenizer
from smolrecipes.limits import Ge
from smolrecipes.tokenizers import templates
from smolrecipes.tokenizers.specials import SENTINELS, SPECIALS, TURN_END, TURN_START, UNK, Family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Data

Normalizer: TypeAlias = Literal["lowercase", "strip_accents", "nfc", "nfkc"]
PIECE = 10_000
"""Characters of a piece, where rows are too few and too long to be sampled whole."""


class FromScratch(Tokenizer):
    """A tokenizer with a family's control tokens, their places around a text, and a chat template."""

    specials: Family = "gpt"
    """Whose control tokens and template it has. gpt: any decoder's; bert: BERT's, ALBERT's, ELECTRA's, DeBERTa's;
    distilbert: those of DistilBERT and ModernBERT, without token types; roberta: also Longformer's and LUKE's."""
    sentinels: Annotated[int, Ge(0)] | None = None
    """`<extra_id_0>` and so on, for span corruption: a twentieth of the length and one. None: 100 for t5, else none."""
    languages: tuple[str, ...] = ()
    """A control token for each: `en` is `__en__`, as M2M100 has them."""
    extra: tuple[str, ...] = ()
    """More control tokens, such as `<|fim_middle|>`."""
    chat_template: str = "auto"
    """How messages are written as text: a template by name (chatml, gemma, llama2, llama3, plain, zephyr), none, or a
    file, as in my.jinja. auto: chatml for gpt, none for the other families."""
    knows_all: ClassVar[bool] = False
    """Whether no text has anything unknown to it."""
    reserved: ClassVar[tuple[str, ...]] = (TURN_START, TURN_END)
    """What gpt has also without a chat template, so that another stage can teach chat."""
    later: ClassVar[tuple[str, ...]] = ("specials", "sentinels", "languages", "extra")
    """Options that came after the first release: at their defaults a tokenizer is what it was without them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        templates.check_name(self._chat(), f"{type(self).__name__}.chat_template")
        given = [f"__{language}__" for language in self.languages] + list(self.extra)
        for token in given:
            if given.count(token) > 1 or len(token) < 2 or any(letter.isspace() for letter in token):
                raise RecipeError(
                    f"{type(self).__name__}: {token!r} is no control token: give each once, of two characters or more, "
                    "without spaces"
                )

    def control(self) -> list[str]:
        """Its control tokens in the order of their ids, from 0 on."""
        tokens = [*SPECIALS[self.specials].roles.values()]
        tokens += [] if self.knows_all else [self.unknown()]
        return list(dict.fromkeys([*tokens, *self._further()]))

    def _chat(self) -> str:
        """The chat template that it has."""
        usual = "chatml" if self.specials == "gpt" else "none"
        return usual if self.chat_template == "auto" else self.chat_template

    def _further(self) -> list[str]:
        """Those that transformers has no name for."""
        chat = templates.control_tokens(self._chat())
        if self._chat() == "none" and self.specials == "gpt":
            chat = [*self.reserved]
        count = SENTINELS.get(self.specials, 0) if self.sentinels is None else self.sentinels
        sentinels = [f"<extra_id_{number}>" for number in range(count)]
        return [*chat, *sentinels, *(f"__{language}__" for language in self.languages), *self.extra]

    def unknown(self) -> str:
        """The token of what it does not know."""
        return SPECIALS[self.specials].roles.get("unk", UNK)

    def unknown_id(self) -> int:
        """Where that is among the control tokens."""
        return self.control().index(self.unknown())

    def room(self, vocab_size: int, least: int) -> int:
        """`vocab_size`, or RecipeError when beside the control tokens there is no room for `least` others."""
        need = len(self.control()) + least
        if vocab_size < need:
            raise RecipeError(
                f"{type(self).__name__}.vocab_size should be at least {need:,}, not {vocab_size:,}: it has "
                f"{len(self.control())} control tokens"
            )
        return vocab_size

    def wrapped(self, backend: Any, **options: Any) -> PreTrainedTokenizerBase:
        """A trained `tokenizers.Tokenizer` as transformers' class, which AutoTokenizer reloads identically."""
        from transformers import PreTrainedTokenizerFast

        family = SPECIALS[self.specials]
        roles = {**({} if self.knows_all else {"unk": UNK}), **family.roles}
        options |= {"extra_special_tokens": self._further()} if self._further() else {}
        if family.types:
            options |= {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
        if added := family.template(backend.get_vocab()):
            backend.post_processor = added
        made: PreTrainedTokenizerBase = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            clean_up_tokenization_spaces=False,
            **{f"{role}_token": token for role, token in roles.items()},
            **options,
        )
        templates.use(self._chat(), made)
        return made

    def identity(self) -> Any:
        """The options; a template's own file counts by its content."""
        known = {**super().identity(), "chat_template": templates.identity(self._chat())}
        return {name: value for name, value in known.items() if name not in self.later or name in self.changed()}


def normalizer(names: tuple[Normalizer, ...]) -> Any:
    """The normalisers of these names, in this order; None for none."""
    from tokenizers import normalizers as made

    steps: dict[str, list[Any]] = {
        "lowercase": [made.Lowercase()],
        "strip_accents": [made.NFD(), made.StripAccents(), made.NFC()],
        "nfc": [made.NFC()],
        "nfkc": [made.NFKC()],
    }
    return made.Sequence([step for name in names for step in steps[name]]) if names else None


def apart(control: list[str]) -> Any:
    """What keeps the spelling of a control token, where a text has it, from being read as one: its first letter goes apart."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    first = "".join(sorted({re.escape(token[0]) for token in control}))
    every = "|".join(re.escape(token) for token in control)
    return Split(Regex(rf"(?=[{first}])(?=(?:{every}))[\s\S]"), "isolated")


def frequent(seen: Counter[str], most: int) -> list[str]:
    """The most frequent characters, at most so many, and none for which others as frequent had to be left out."""
    ordered = sorted(seen, key=lambda letter: (-seen[letter], letter))
    rest = seen[ordered[most]] if len(ordered) > most else 0
    return [letter for letter in ordered[:most] if seen[letter] > rest]


def learning_text(data: Data | None, rows: Dataset | None, megabytes: int, who: str) -> Iterator[str]:
    """About so much text of `data`, or else of `rows`; RecipeError when there is neither."""
    found = data.load() if data else rows
    if found is None:
        raise RecipeError(f"{who}: there are no rows to learn from; give it data, as in {who}(Files('a.txt'))")
    return sample(found, megabytes * 1_000_000)


def sample(rows: Dataset, limit: int) -> Iterator[str]:
    """Strings of about `limit` bytes in all, evenly spread over the rows; the same rows give the same strings.

    One of every few rows is drawn, seeded, so that rows that take turns (two files, two languages) all come up. Where
    rows are few and long, it is pieces of them.
    """
    from smolrecipes.data.rows import each, texts

    size = rows.data.nbytes * len(rows) / max(1, len(rows.data))
    step, rng = max(1, round(size / limit)), random.Random(0)
    if step > 1 and len(rows) >= 100 * step:
        rows = rows.select([min(len(rows) - 1, start + rng.randrange(step)) for start in range(0, len(rows), step)])
        step = 1
    for row in each(rows):
        for text in texts(row):
            yield from [text] if step == 1 else _pieces(text, step, rng)


def _pieces(text: str, step: int, rng: random.Random) -> Iterator[str]:
    """One of every `step` pieces of a text."""
    for start in range(rng.randrange(step) * PIECE, len(text), step * PIECE):
        yield text[start : start + PIECE]
