"""Messages as token ids: which tokens the assistant says, by comparing what the template renders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.objectives.losses import IGNORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

Message = dict[str, Any]


def encode(
    messages: list[Message],
    tokenizer: PreTrainedTokenizerBase,
    tools: list[Any] | None = None,
    learn: str = "assistant",
) -> tuple[list[int], list[int]]:
    """Token ids of a conversation and their labels: IGNORE outside the assistant's turns (`learn="all"`: none is).

    A turn is learned from the first token after the generation prompt up to and including the one that ends it. Each
    part is tokenised by itself, so that the prompt's tokens are those of generation.
    """
    ids: list[int] = []
    labels: list[int] = []
    for text, spoken in _parts(messages, tokenizer, tools):
        part = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        ids += part
        labels += part if spoken or learn == "all" else [IGNORE] * len(part)
    return ids, labels


def continuation(
    prompt: list[Message], answer: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None = None
) -> tuple[list[int], list[int]]:
    """Token ids of a prompt, ready to be answered, and of the answer with its end."""
    parts = list(_parts([*prompt, *answer], tokenizer, tools, first=len(prompt)))
    before, after = parts[0][0], "".join(text for text, _ in parts[1:])
    return (
        tokenizer(before, add_special_tokens=False, verbose=False)["input_ids"],
        tokenizer(after, add_special_tokens=False, verbose=False)["input_ids"],
    )


def _parts(
    messages: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None, first: int = 0
) -> Iterator[tuple[str, bool]]:
    """The rendered conversation in pieces, each with whether the assistant (from message `first` on) says it."""
    if not tokenizer.chat_template:
        yield from _plain(messages, tokenizer, first)
        return
    done = 0
    full = render(messages, tokenizer, tools)
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or index < first:
            continue
        start = len(render(messages[:index], tokenizer, tools, prompt=True))
        end = len(render(messages[: index + 1], tokenizer, tools).rstrip())
        if render(messages[:index], tokenizer, tools, prompt=True) != full[:start]:
            raise RecipeError(
                f"the chat template writes turn {index + 1} differently when it is the last: the tokens it teaches "
                "would not be those it generates; use another template (tokenizer.chat_template=chatml)"
            )
        yield full[done:start], False
        yield full[start:end], True
        done = end


def render(
    messages: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None, prompt: bool = False
) -> str:
    """The conversation as text; with `prompt`, ready for the assistant's answer."""
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=prompt)
    return str(text)


def _plain(messages: list[Message], tokenizer: PreTrainedTokenizerBase, first: int) -> Iterator[tuple[str, bool]]:
    """Without a template, a single question and answer are joined as they are, ended by eos."""
    if len(messages) > 2 or any(message.get("tool_calls") for message in messages):
        raise RecipeError(
            "the tokenizer has no chat template, which turns and tool calls need; give it one: "
            f"tokenizer={tokenizer.name_or_path or 'byte_bpe'} tokenizer.chat_template=chatml"
        )
    if tokenizer.eos_token is None:
        raise RecipeError("the tokenizer has neither a chat template nor an eos token, so an answer would have no end")
    yield "".join(m["content"] for m in messages[:-1]), False
    yield messages[-1]["content"] + str(tokenizer.eos_token), True
