"""Models that write: they answer, continue, translate, or say what was in the holes of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.ask.answer import Answer, Wish
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MIDDLE = "<|fim_middle|>"
"""Where a decoder that has learned it writes between a beginning and an end."""
HOLE = re.compile(r"<extra_id_\d+>")


def write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """The answer of a chat model; a text that goes on; what an encoder-decoder makes of it, its holes filled."""
    from smolrecipes.generate import generate

    (text,), how = texts, wish.decoding or Decoding()
    source, target = direction(model, tokenizer, wish.source, wish.target)
    if not model.config.is_encoder_decoder and MIDDLE in text:
        return _between(model, tokenizer, text, how)
    holes = HOLE.findall(text) if model.config.is_encoder_decoder else []
    more: dict[str, Any] = {"source": source, "target": target, "special": bool(holes), "text": wish.plain}
    (said,) = generate(model, tokenizer, texts, how, **more)
    if holes:
        said = _filled(text, said, str(tokenizer.eos_token))
    goes_on = not model.config.is_encoder_decoder and (wish.plain or not tokenizer.chat_template)
    shown = text + said if goes_on else said.strip()
    return Answer(shown, {"text": shown})


def _between(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, decoding: Decoding) -> Answer:
    """The text with what goes in its middle, asked as fill-in-the-middle was learned."""
    from smolrecipes.generate import generate
    from smolrecipes.objectives.fim import marks
    from smolrecipes.objectives.framed import encode

    prefix, suffix, middle = marks(tokenizer)
    begin, _, end = text.partition(MIDDLE)
    ids = encode([begin, end], tokenizer)
    (said,) = generate(model, tokenizer, [[prefix, *ids[0], suffix, *ids[1], middle]], decoding)
    return Answer(f"{begin}{said}{end}", {"text": f"{begin}{said}{end}", "middle": said})


def direction(model: Any, tokenizer: PreTrainedTokenizerBase, source: str, target: str) -> tuple[str, str]:
    """Both languages, of which, where there are two, one tells the other; RecipeError where one is missing, or useless."""
    from smolrecipes.generate import languages

    known = list(languages(tokenizer)) if model.config.is_encoder_decoder else []
    if not known and (source or target):
        raise RecipeError("this model knows no tokens of languages, so it has no use for --source and --target")
    if not known:
        return "", ""
    if len(known) == 2 and bool(source) != bool(target):
        other = next(one for one in known if one != (source or target))
        return source or other, target or other
    if not (source and target):
        raise RecipeError(f"this model translates between {', '.join(known)}: say which with --source and --target")
    return source, target


def _filled(text: str, said: str, eos: str) -> str:
    """The text with each hole filled by what follows its sentinel; a hole that was not answered stays."""
    sentinels, parts = HOLE.findall(said), HOLE.split(said)[1:]
    answers = {one: part.partition(eos)[0].strip() for one, part in zip(sentinels, parts)}
    return HOLE.sub(lambda hole: answers.get(hole[0], hole[0]), text)
