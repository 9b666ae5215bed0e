"""Answers from a model: batched, or streamed as they come. Nothing about the model or the random numbers is changed."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

from smolrecipes.conversation.cut import as_it_is, harmless
from smolrecipes.conversation.tokens import opening, prompt_ids, turn_end
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

Messages: TypeAlias = list[dict[str, Any]]
Prompt: TypeAlias = "str | Messages | list[int]"
BATCH = 16
ALONE = ("xlnet",)
"""Model types that forget their padding when they write, so that each prompt is answered by itself."""


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    decoding: Decoding | None = None,
    system: str | None = None,
    tools: list[dict[str, Any]] | None = None,
    text: bool = False,
    source: str = "",
    target: str = "",
    special: bool = False,
) -> list[str]:
    """The answer to each prompt: only the new text.

    A prompt is a list of messages, token ids as they are, or a string: a user's message when the tokenizer has a chat template, otherwise
    (or with `text`) a text to continue; for an encoder-decoder the text that its encoder reads. source, target: their
    languages, for a model that tells languages by tokens. special: control tokens are kept. Prompts are answered in batches; each answer is the one that the prompt would get alone.
    """
    decoding = decoding or Decoding()
    read = [encoded(model, tokenizer, prompt, system, tools, text, source) for prompt in prompts]
    answers: list[str] = []
    with untouched(model):
        helper = decoding.helper(model, tokenizer)
        for batch in _batches(model, read, decoding):
            how = settings(model, tokenizer, decoding, room(model, batch, decoding.max_new_tokens), target)
            ids, mask = _pad(batch, int(how.pad_token_id), model)
            written = model.generate(ids, attention_mask=mask, generation_config=how, **helper)
            start = 0 if model.config.is_encoder_decoder else ids.shape[1]
            answers += tokenizer.batch_decode(written[:, start:], skip_special_tokens=not special)
    return answers


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    messages: Prompt,
    decoding: Decoding | None = None,
    tools: list[dict[str, Any]] | None = None,
) -> Iterator[str]:
    """The answer in pieces, as they are written; giving up the iterator stops the writing."""
    from transformers import StoppingCriteriaList, TextIteratorStreamer

    decoding = decoding or Decoding()
    if decoding.beams > 1:  # which are known at their end only
        yield generate(model, tokenizer, [messages], decoding, tools=tools)[0]
        return
    batch = [encoded(model, tokenizer, messages, tools=tools)]
    how = settings(model, tokenizer, decoding, room(model, batch, decoding.max_new_tokens))
    ids, mask = _pad(batch, int(how.pad_token_id), model)
    pieces = TextIteratorStreamer(tokenizer, skip_prompt=not model.config.is_encoder_decoder, skip_special_tokens=True)
    helper = decoding.helper(model, tokenizer)
    given_up, failures = threading.Event(), list[BaseException]()

    def write() -> None:
        try:
            with untouched(model):
                stop = StoppingCriteriaList([lambda ids, scores, **_: _everywhere(ids, given_up.is_set())])
                model.generate(
                    ids,
                    attention_mask=mask,
                    generation_config=how,
                    streamer=pieces,
                    stopping_criteria=stop,
                    **helper,
                )
        except BaseException as error:  # handed to the reader, who raises it
            failures.append(error)
            pieces.on_finalized_text("", stream_end=True)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield from (piece for piece in pieces if piece)
    finally:
        given_up.set()
        writer.join()
    if failures:
        raise failures[0]


@contextmanager
def untouched(model: PreTrainedModel) -> Iterator[None]:
    """Evaluation mode, and no generation settings but those given; afterwards all is as before, random numbers too."""
    import torch
    from transformers import GenerationConfig

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    holders = [holder for holder in (model, base) if hasattr(holder, "generation_config")]
    modes = [(module, module.training) for module in model.modules()]
    kept = [(holder, holder.generation_config) for holder in holders]
    cuda = [model.device] if model.device.type == "cuda" else []
    mps = torch.mps.get_rng_state() if model.device.type == "mps" else None
    try:
        with torch.random.fork_rng(devices=cuda), torch.no_grad():
            model.eval()
            for holder in holders:
                holder.generation_config = GenerationConfig()
            yield
    finally:
        for holder, settings in kept:
            holder.generation_config = settings
        for module, training in modes:
            module.training = training
        if mps is not None:
            torch.mps.set_rng_state(mps)


def encoded(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    system: str | None = None,
    tools: list[dict[str, Any]] | None = None,
    text: bool = False,
    source: str = "",
) -> list[int]:
    """The tokens that a model reads of a prompt: an encoder without a chat template reads a text as it was trained to."""
    if model.config.is_encoder_decoder and not tokenizer.chat_template and not _ids(prompt):
        return source_ids(prompt, tokenizer, source)
    return _encode(tokenizer, prompt, system, tools, text)


def _encode(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    system: str | None = None,
    tools: list[dict[str, Any]] | None = None,
    text: bool = False,
) -> list[int]:
    """The tokens of a prompt, as `generate` reads it, for a model that continues."""
    if _ids(prompt):
        return prompt
    if text or not tokenizer.chat_template:
        return _encode_text(tokenizer, prompt, system or tools, text)
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(cast("Messages", prompt))
    if system is not None and not any(message["role"] == "system" for message in messages):
        messages = [{"role": "system", "content": system}, *messages]
    return prompt_ids(messages, tokenizer, tools)


def _ids(prompt: Prompt) -> TypeGuard[list[int]]:
    return isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], int)


def source_ids(prompt: Prompt, tokenizer: PreTrainedTokenizerBase, language: str = "") -> list[int]:
    """What the encoder reads of a text, as it was trained: the language's token, the text, and its end."""
    if not isinstance(prompt, str):
        raise RecipeError("the tokenizer has no chat template, so this model reads texts; give it a plain string")
    from smolrecipes.objectives.text import around

    before, after = around(tokenizer)
    known = [language_id(language, tokenizer)] if language else []
    asks = "<extra_id_" in prompt or str(tokenizer.mask_token) in prompt  # for what is to be filled in
    ids = tokenizer(prompt, add_special_tokens=False, split_special_tokens=not asks, verbose=False)["input_ids"]
    return [*before, *known, *ids, *(after or [tokenizer.eos_token_id])]


def languages(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The languages that a tokenizer has tokens for, and the tokens: `__en__`."""
    added = tokenizer.added_tokens_decoder.items()
    return {str(token)[2:-2]: i for i, token in added if re.fullmatch(r"__\w+__", str(token))}


def language_id(language: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Its token."""
    known = languages(tokenizer)
    if language not in known:
        raise RecipeError(
            f"the tokenizer has no token for the language '{language}' (it has: {', '.join(known) or 'none'})"
        )
    return known[language]


def _encode_text(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, chat: Any, text: bool) -> list[int]:
    if not isinstance(prompt, str) or chat:
        raise RecipeError(
            "the tokenizer has no chat template, so this model only continues text; give it a plain string"
        )
    return opening(as_it_is(prompt) if text else harmless(prompt, tokenizer), tokenizer)


def _limit(model: PreTrainedModel) -> int | None:
    """The longest text that the model's positions allow; rotary ones, which have no table, are held to it as well."""
    from smolrecipes.architectures.sizes import readable

    return readable(model.config)


def _batches(model: PreTrainedModel, read: list[list[int]], decoding: Decoding) -> Iterator[list[list[int]]]:
    """Batches in order; alone where the positions run out, so that a neighbour's length never shortens an answer."""
    limit = _limit(model)
    together = not model.config.is_encoder_decoder
    full = together and limit and max(map(len, read), default=0) + decoding.max_new_tokens > limit
    size = 1 if full or decoding.guesses or model.config.model_type in ALONE else BATCH
    for start in range(0, len(read), size):
        yield read[start : start + size]


def room(model: PreTrainedModel, batch: list[list[int]], new: int) -> int:
    """How many tokens can be written after these, `new` at most; RecipeError where there is room for none."""
    limit, longest = _limit(model), max(map(len, batch))
    if limit is not None and model.config.is_encoder_decoder:  # the answer has positions of its own
        if longest > limit:
            raise RecipeError(f"the text has {longest} tokens, and the model reads {limit} at most")
        return min(new, limit)
    if limit is None or longest + new <= limit:
        return new
    if longest >= limit:
        raise RecipeError(f"the prompt has {longest} tokens, and the model reads {limit} at most, its answer included")
    return limit - longest


def settings(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, decoding: Decoding, new: int, target: str = ""
) -> GenerationConfig:
    """Every setting that decoding has, explicitly; with `untouched` there is no other source of them."""
    from transformers import GenerationConfig

    stops = ends(tokenizer)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else next(iter(stops), 0)
    return GenerationConfig(
        **decoding.settings(),
        max_new_tokens=new,
        use_cache=True,
        eos_token_id=stops or None,
        pad_token_id=pad,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
        forced_bos_token_id=language_id(target, tokenizer) if target else None,
    )


def ends(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: of a text, and of a turn."""
    return list(dict.fromkeys(one for one in (tokenizer.eos_token_id, turn_end(tokenizer)) if one is not None))


def _pad(batch: list[list[int]], pad: int, model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    """Ids and mask, both batch x longest: padded on the left, so that every answer begins in the same column, or on the
    right for an encoder, whose positions count from the first column."""
    import torch

    longest = max(map(len, batch))
    ids, mask = [], []
    for row in batch:
        gap = longest - len(row)
        left, right = (0, gap) if model.config.is_encoder_decoder else (gap, 0)
        ids.append([pad] * left + row + [pad] * right)
        mask.append([0] * left + [1] * len(row) + [0] * right)
    return torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)


def _everywhere(ids: Tensor, value: bool) -> Tensor:
    import torch

    return torch.full((ids.shape[0],), value, device=ids.device)
