"""What models with the head of a task answer: at each token, for a whole text, or for a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from smolrecipes.objectives.forward import no_cache, read_by, unwrap

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from smolrecipes.kinds import Layout
    from smolrecipes.spans import Spans

Of = Literal["token", "text", "choice"]


def answered(model: nn.Module, batch: dict[str, Any], of: Of = "token") -> Any:
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
        inputs = {name: value[:, None] for name, value in inputs.items()}
    return model(**inputs, **no_cache(inner.__class__))


def _padded_left(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The padding moved before the texts: XLNet reads a text's class at the last position, and counts distances alone."""
    seen = inputs["attention_mask"]
    size = seen.shape[1]
    places = (torch.arange(size, device=seen.device) - (size - seen.sum(1))[:, None]) % size
    return {name: value.gather(1, places) for name, value in inputs.items()}


def _side_by_side(model: nn.Module, batch: dict[str, Any], of: Of) -> Any:
    """Texts that lie in one row: the model is called with the token of each that answers, its blocks compute the whole
    row all the same, and what is behind them, a pooler and the head, gets the state of that token alone."""
    inner, inputs = unwrap(model), read_by(batch, unwrap(model))
    body, ids = inner.base_model, inputs["input_ids"]
    at = _answering(inner.config, batch["spans"], ids[0])

    def whole(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        return (), {**kwargs, **inputs}

    def select(module: nn.Module, args: Any, output: Any) -> Any:
        kept = output[0][0, at][:, None]
        if isinstance(output, tuple):
            return (kept, *output[1:])
        output["last_hidden_state"] = kept
        return output

    blocks = body if getattr(body, "pooler", None) is None else body.encoder
    hooks = [body.register_forward_pre_hook(whole, with_kwargs=True), blocks.register_forward_hook(select)]
    one = ids[0, at].reshape(-1, *(1,) * (2 if of == "choice" else 1))
    try:
        return model(input_ids=one, spans=inputs["spans"], **no_cache(inner.__class__))
    finally:
        for hook in hooks:
            hook.remove()


def _answering(config: Any, spans: Spans, ids: Tensor) -> Tensor:
    """(texts,): where each text's answer is read, by encoders at its first token, by decoders at the last that is no
    padding's."""
    from smolrecipes.architectures.heads import reads_both_ways

    first, last = (torch.tensor(ends, device=ids.device) for ends in zip(*((s.start, s.end - 1) for s in spans.spans)))
    if reads_both_ways(config):
        return first
    written = torch.where(ids == config.pad_token_id, -1, torch.arange(len(ids), device=ids.device))
    return torch.maximum(first, written.cummax(0).values[last])


@torch.no_grad()
def packs_texts(model: PreTrainedModel, layout: Layout, of: Of) -> bool:
    """Whether the model answers for texts side by side as it does for each alone, seen on three of other lengths: some
    heads read all the tokens of a text. Its attention must be the packed one."""
    vocabulary, training = model.config.vocab_size, model.training
    free = [token for token in range(min(64, vocabulary)) if token != layout.pad_id]
    texts = [[free[(7 * place + size) % len(free)] for place in range(size)] for size in (3, 7, 5)]
    model.eval()
    try:
        many, *alone = (
            answered(model, layout([(ids, ids) for ids in some], causal=False), of).logits.float().flatten(1)
            for some in (texts, *([ids] for ids in texts))
        )
    finally:
        model.train(training)
    apart = torch.cat(alone)
    return bool((many - apart).abs().max() < 1e-2 * (apart - apart.mean(0)).abs().max())
