"""The control tokens of a model from scratch: the ids that its tokenizer gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.architectures.scratch import Scratch
    from smolrecipes.tokenizers.specials import Family


def special(tokenizer: PreTrainedTokenizerBase, asked: Scratch) -> dict[str, Any]:
    """The ids of its control tokens; cls and sep take the place of bos and eos where a tokenizer has only those."""
    from smolrecipes.tokenizers.specials import SPECIALS

    roles = ("pad", "bos", "eos", "cls", "sep", "mask")
    found = {role: getattr(tokenizer, f"{role}_token_id", None) for role in roles}
    for role, other in (("bos", "cls"), ("eos", "sep"), ("cls", "bos"), ("sep", "eos")):
        found[role] = found[other] if found[role] is None else found[role]
    needed = SPECIALS[cast("Family", asked.specials)].roles
    if missing := [role for role in roles if role in needed and found[role] is None]:
        raise RecipeError(
            f"{type(asked).__name__}: the tokenizer has no {', no '.join(missing)} token, which this model needs; "
            f"train one with tokenizer.specials={asked.specials}"
        )
    return found


def fix(model: PreTrainedModel, part: str) -> None:
    """Leaves the weights of `part` out of training, a table of sines, say; the config remembers it for whoever trains on."""
    if part:
        model.config.fixed = part
    for name, weight in model.named_parameters():
        weight.requires_grad_(weight.requires_grad and not (part and part in name))


def ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """What the configs of decoders say of the tokenizer's pad, bos and eos."""
    return {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}


def ends(found: dict[str, Any]) -> dict[str, Any]:
    """What the other configs say of them, from `special`."""
    return {f"{name}_token_id": found[name] for name in ("pad", "bos", "eos")}
