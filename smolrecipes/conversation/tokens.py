"""Conversations as token ids, and the token that ends a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.conversation.cut import cut_pieces, harmless, harmless_tools
from smolrecipes.conversation.render import Message, render
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prompt_ids(
    messages: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None = None
) -> list[int]:
    """Token ids of a conversation that is ready for the assistant's answer, as generation reads them."""
    messages, tools = harmless(messages, tokenizer), harmless_tools(tools, tokenizer)
    return rendered_ids(render(messages, tokenizer, tools, prompt=True), tokenizer)


def opening(text: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids of a text to continue, without a template: bos where the tokenizer adds it, and never no token."""
    first, *rest = cut_pieces(text)
    ids = list(tokenizer(first, verbose=False)["input_ids"])
    while ids and ids[-1] == tokenizer.eos_token_id:  # a tokenizer that closes every text leaves nothing to continue
        ids.pop()
    if not ids:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if start is None:
            raise RecipeError("an empty prompt needs a token to start from, and the tokenizer has neither bos nor eos")
        ids = [start]
    return ids + [token for piece in rest for token in _ids(piece, tokenizer)]


def rendered_ids(text: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids of what was rendered: its control tokens are read as such, also by a tokenizer that finds none in text."""
    return [token for piece in cut_pieces(text) for token in _ids(piece, tokenizer)]


def turn_end(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that the chat template writes after an answer, such as <|im_end|>."""
    if not tokenizer.chat_template:
        return None
    marker = "smolrecipes"
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": marker}]
    text = str(tokenizer.apply_chat_template(chat, tokenize=False))
    after = rendered_ids(text.rpartition(marker)[2].lstrip(), tokenizer)
    known = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return int(after[0]) if after and after[0] in known else None


def _ids(piece: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return list(tokenizer(piece, add_special_tokens=False, split_special_tokens=False, verbose=False)["input_ids"])
