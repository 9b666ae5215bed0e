"""Messages as token ids: which tokens the assistant says, by comparing what the template renders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.conversation.cut import control_tokens, harmless, harmless_tools
from smolrecipes.conversation.render import REMEDY, Message, render
from smolrecipes.conversation.tokens import opening, rendered_ids
from smolrecipes.errors import RecipeError
from smolrecipes.objectives.labels import IGNORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase


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
    messages, tools = harmless(messages, tokenizer), harmless_tools(tools, tokenizer)
    ids: list[int] = []
    labels: list[int] = []
    for text, spoken in _parts(messages, tokenizer, tools):
        part = rendered_ids(text, tokenizer) if ids or tokenizer.chat_template else opening(text, tokenizer)
        ids += part
        labels += part if spoken or learn == "all" else [IGNORE] * len(part)
    return ids, labels


def continuation(
    prompt: list[Message], answer: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None = None
) -> tuple[list[int], list[int]]:
    """Token ids of a prompt, ready to be answered, and of the answer, which the assistant begins, with its end."""
    prompt, answer, tools = *(harmless(part, tokenizer) for part in (prompt, answer)), harmless_tools(tools, tokenizer)
    parts = list(_parts([*prompt, *answer], tokenizer, tools, first=len(prompt)))
    before, after = parts[0][0], "".join(text for text, _ in parts[1:])
    start = rendered_ids(before, tokenizer) if tokenizer.chat_template else opening(before, tokenizer)
    return start, rendered_ids(after, tokenizer)


def _parts(
    messages: list[Message], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None, first: int = 0
) -> Iterator[tuple[str, bool]]:
    """The rendered conversation in pieces, each with whether the assistant (from message `first` on) says it."""
    if not tokenizer.chat_template:
        yield from _plain(messages, tokenizer)
        return
    full, done = render(messages, tokenizer, tools), 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or index < first:
            continue
        start, end = _turn(index, messages, full, tokenizer, tools)
        yield full[done:start], False
        yield full[start:end], True
        done = end


def _turn(
    index: int, messages: list[Message], full: str, tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None
) -> tuple[int, int]:
    """From where to where in `full` the assistant says message `index`, with what ends the turn.

    Some templates write a turn differently once others follow it: without its thoughts, or with another end. It begins
    where the generation prompt ends, or, where that is written differently too, after its own header.
    """
    asked = render(messages[:index], tokenizer, tools, prompt=True) if index else ""
    alone = render(messages[: index + 1], tokenizer, tools) if index + 1 < len(messages) else full
    if not alone.startswith(asked):
        raise RecipeError(
            f"the chat template does not begin turn {index + 1} with what it asks for an answer with, so the tokens "
            f"that it teaches would not be those that are generated; {REMEDY}"
        )
    known = index > 0 and full.startswith(asked)
    start = len(asked) if known else len(_around(index, messages, full, tokenizer, tools)[0])
    said = alone[len(asked) if index else start :].rstrip()
    size = _repeated(said, full[start:], messages[index])
    if size is None:
        head, tail = _around(index, messages, full, tokenizer, tools)
        size = len(full) - len(tail) + _closing(full[len(head) :], tail, messages[index], tokenizer) - start
    _check(full[start : start + size], messages[index])
    return start, start + size


def _repeated(said: str, rest: str, message: Message) -> int | None:
    """How much of `rest` is what is `said` when nothing follows, whole or from somewhere before the answer on."""
    calls = [call["function"]["name"] for call in message.get("tool_calls") or []]
    found = min(said.rfind(word) for word in (_answer(message), *calls))
    if found < 0:
        raise RecipeError(f"the chat template does not write what the assistant says ({_answer(message)!r}); {REMEDY}")
    return next((len(said) - cut for cut in range(found + 1) if said[cut:] and rest.startswith(said[cut:])), None)


def _around(
    index: int, messages: list[Message], full: str, tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None
) -> tuple[str, str]:
    """What is written before and after the content of a message, whatever the content is."""
    marker = "smolrecipes"
    while marker in full:
        marker += "-"
    marked = [*messages[:index], {**messages[index], "content": marker}, *messages[index + 1 :]]
    head, found, tail = render(marked, tokenizer, tools).partition(marker)
    if not found or not full.startswith(head):
        raise RecipeError(f"the chat template does not show where turn {index + 1} begins; {REMEDY}")
    return head, tail


def _closing(rest: str, tail: str, message: Message, tokenizer: PreTrainedTokenizerBase) -> int:
    """The length of what ends a turn: `tail`, which follows its content, up to and including its first control token."""
    ends = [tail.find(mark) + len(mark) for mark in control_tokens(tokenizer) if mark in tail]
    exact = rest.endswith(tail) and rest[: len(rest) - len(tail)].strip() == _answer(message)
    if not ends or not exact or message.get("tool_calls"):
        raise RecipeError(
            f"the chat template writes the answer {_answer(message)[:40]!r} differently once other turns follow, and "
            f"does not show where it ends; {REMEDY}"
        )
    return min(ends)


def _check(piece: str, message: Message) -> None:
    """That there is something after the answer that ends it, else a model would learn never to stop."""
    answer = _answer(message)
    end = piece.rpartition(answer)[2] if answer else piece
    if not message.get("tool_calls") and not end.strip():
        raise RecipeError(f"the chat template writes nothing that ends an answer; {REMEDY}")


def _answer(message: Message) -> str:
    """What every template writes of an answer: thoughts are left out of earlier turns."""
    return str(message.get("content") or "").rpartition("</think>")[2].strip()


def _plain(messages: list[Message], tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[str, bool]]:
    """Without a template, a single question and answer are joined as they are, ended by eos."""
    roles = [message["role"] for message in messages]
    if len(messages) > 2 or any(message.get("tool_calls") for message in messages):
        raise RecipeError(
            "the tokenizer has no chat template, which turns and tool calls need; give it one: "
            f"tokenizer={tokenizer.name_or_path or 'byte_bpe'} tokenizer.chat_template=chatml"
        )
    if roles[-1:] != ["assistant"] or "assistant" in roles[:-1]:
        raise RecipeError(
            "without a chat template a row is a question and the assistant's answer, "
            f"and the turns of this one are {' and '.join(roles) or 'none'}; mend the row, or {REMEDY}"
        )
    if tokenizer.eos_token is None:
        raise RecipeError("the tokenizer has neither a chat template nor an eos token, so an answer would have no end")
    yield "".join(m["content"] for m in messages[:-1]), False
    yield messages[-1]["content"] + str(tokenizer.eos_token), True
