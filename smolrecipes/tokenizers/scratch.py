"""What every tokenizer made from scratch has: a family's control tokens and their places, a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Tokenizer
from smolrecipes.limits import Ge
from smolrecipes.tokenizers import templates
from smolrecipes.tokenizers.specials import SENTINELS, SPECIALS, TURN_END, TURN_START, UNK, Family

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class FromScratch(Tokenizer):
    """A tokenizer with a family's control tokens, their places around a text, and a chat template."""

    specials: Family = option(default="gpt", added=True)
    """Whose control tokens and template it has. gpt: any decoder's; bert: BERT's, ALBERT's, ELECTRA's, DeBERTa's;
    distilbert: those of DistilBERT and ModernBERT, without token types; roberta: also Longformer's and LUKE's."""
    sentinels: Annotated[int, Ge(0)] | None = option(default=None, added=True)
    """`<extra_id_0>` and so on, for span corruption: a twentieth of the length and one. None: 100 for t5, else none."""
    languages: tuple[str, ...] = option(default=(), added=True)
    """A control token for each: `en` is `__en__`, as M2M100 has them."""
    extra: tuple[str, ...] = option(default=(), added=True)
    """More control tokens, such as `<|fim_middle|>`."""
    chat_template: str = "auto"
    """How messages are written as text: a template by name (chatml, gemma, llama2, llama3, plain, zephyr), none, or a
    file, as in my.jinja. auto: chatml for gpt, none for the other families."""
    knows_all: ClassVar[bool] = False
    """Whether no text has anything unknown to it."""
    reserved: ClassVar[tuple[str, ...]] = (TURN_START, TURN_END)
    """What gpt has also without a chat template, so that another stage can teach chat."""

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
        known = super().identity()
        return {**known, "chat_template": templates.identity(self._chat())} if "chat_template" in known else known
