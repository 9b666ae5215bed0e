"""A conversation as the chat template writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, Any]
REMEDY = "use another template, as in tokenizer.chat_template=chatml"


def render(
    messages: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None, prompt: bool = False
) -> str:
    """The conversation as text; with `prompt`, ready for the assistant's answer."""
    from jinja2 import TemplateError

    if not messages:
        raise RecipeError("there is no message to write with the chat template")
    try:
        text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=prompt)
    except (TemplateError, TypeError) as error:  # such as a call's arguments, where a template takes text
        raise RecipeError(f"the chat template cannot write these messages ({error}); {REMEDY}") from error
    return str(text)
