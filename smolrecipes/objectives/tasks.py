"""What models with the head of a task answer: at each token, for a whole text, or for a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from smolrecipes.console import say
from smolrecipes.objectives.forward import no_cache, read_by, unwrap, with_states

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from smolrecipes.kinds import AnswersFor, Layout
    from smolrecipes.spans import Spans


def answered(model: nn.Module, batch: dict[str, Any], of: AnswersFor = "token") -> Any:
    """What a model with the head of a task answers: `logits`, or `start_logits` and `end_logits`.

    of: token, it answers at each; text, it answers for the whole, from one of its tokens; choice, the same, and it wants
    (rows, choices, tokens), which it gets with one choice a row.
    """
    inner = unwrap(model)
    if of != "token" and "spans" in batch:
        return _side_by_side(model, batch, of)
    inputs = read_by(batch, inner)
    if of != "token" and getattr(inner.config, "summary_type", "") == "last" and "attention_mask" in inputs:
        inputs = _padded_left(inputs)
    if of == "choice":
        inputs.setdefault("attention_mask", torch.ones_like(inputs["input_ids"]))  # some heads take the mean by it
        inputs = {name: value[:, None] for name, value in inputs.items()}
    return model(**inputs, **no_cache(inner.__class__))


def placed(batch: dict[str, Any], model: Any) -> dict[str, Any]:
    """Its tensors where the model is."""
    return {name: value.to(model.device) if isinstance(value, Tensor) else value for name, value in batch.items()}


def _padded_left(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The padding moved before the texts: XLNet reads a text's class at the last position, and counts distances alone."""
    seen = inputs["attention_mask"]
    size = seen.shape[1]
    places = (torch.arange(size, device=seen.device) - (size - seen.sum(1))[:, None]) % size
    return {name: value.gather(1, places) for name, value in inputs.items()}


def _side_by_side(model: nn.Module, batch: dict[str, Any], of: AnswersFor) -> Any:
    """Texts that lie in one row: the model is called with the token of each that answers, its blocks compute the whole
    row all the same, and what is behind them, a pooler and the head, gets the state of that token alone."""
    inner = unwrap(model)
    body, inputs = inner.base_model, read_by(batch, inner)
    at = _answering(inner.config, inputs["spans"], inputs["input_ids"][0])
    one = inputs["input_ids"][0, at][:, None]

    def whole(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        return (), {**kwargs, **inputs}

    def select(module: nn.Module, args: Any, output: Any) -> Any:
        return with_states(output, output[0][0, at][:, None])

    blocks = body if getattr(body, "pooler", None) is None else body.encoder
    hooks = [body.register_forward_pre_hook(whole, with_kwargs=True), blocks.register_forward_hook(select)]
    given = {"input_ids": one, "attention_mask": torch.ones_like(one)}
    if of == "choice":
        given = {name: value[:, None] for name, value in given.items()}
    try:
        return model(**given, spans=inputs["spans"], **no_cache(inner.__class__))
    finally:
        for hook in hooks:
            hook.remove()


def _answering(config: Any, spans: Spans, ids: Tensor) -> Tensor:
    """(texts,): where each text's answer is read, by encoders at its first token, by decoders at the last that is no
    padding's."""
    from smolrecipes.architectures.heads import reads_both_ways

    first = torch.tensor([span.start for span in spans.spans], device=ids.device)
    if reads_both_ways(config):
        return first
    last = torch.tensor([span.end - 1 for span in spans.spans], device=ids.device)
    written = torch.where(ids == config.pad_token_id, -1, torch.arange(len(ids), device=ids.device))
    return torch.maximum(first, written.cummax(0).values[last])


def packs_texts(model: PreTrainedModel, layout: Layout, of: AnswersFor) -> bool:
    """Whether the model answers for texts side by side as it does for each alone, seen on three of other lengths: some
    heads read all the tokens of a text, which is said. Its attention must be the packed one."""
    free = [token for token in range(min(64, model.config.vocab_size)) if token != layout.pad_id]
    texts = [[free[(7 * place + size) % len(free)] for place in range(size)] for size in (3, 7, 5)]
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            many, *alone = (_logits(model, layout, some, of) for some in (texts, *([ids] for ids in texts)))
    except Exception as error:  # of a model that does not expect it: padded it may well train
        say(f"{type(model).__name__} cannot answer for texts side by side ({error}), so they are padded")
        return False
    finally:
        model.train(training)
    apart = torch.cat(alone)
    near = 1e-2 if model.dtype == torch.float32 else 1e-1
    same = bool((many - apart).abs().max() < near * (apart - apart.mean(0)).abs().max())
    if not same:
        say(f"{type(model).__name__} answers otherwise for texts side by side than for each alone, so they are padded")
    return same


def _logits(model: PreTrainedModel, layout: Layout, texts: list[list[int]], of: AnswersFor) -> Tensor:
    batch = placed(layout([(ids, ids) for ids in texts], causal=False), model)
    logits: Tensor = answered(model, batch, of).logits
    return logits.float().flatten(1)
