"""The one forward pass of all families: hidden states, and log-probabilities at labelled positions only."""

from __future__ import annotations

import inspect
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from smolrecipes.console import say
from smolrecipes.errors import RecipeError
from smolrecipes.objectives.vocabulary import label_logps, label_nll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ = ("input_ids", "attention_mask", "position_ids", "decoder_input_ids")
"""What of a batch a model reads."""
SOME = (
    *("token_type_ids", "langs", "global_attention_mask", "perm_mask", "target_mapping"),
    *("entity_ids", "entity_attention_mask", "entity_position_ids"),
)
"""What of a batch it reads if it has them at all."""
_plain_heads: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def token_logps(model: nn.Module, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Log-probabilities of a `Layout`'s labels, (labelled,) in float32, and the sequence each belongs to, (labelled,).

    No logit is computed that no label needs. Where head(hidden) is not what the model answers (a soft cap or a scale
    after the head, found by a probe once per model), the model itself computes every logit, and that is said.
    """
    return _labelled(model, batch, label_logps), batch["rows"]


def token_nll(model: nn.Module, batch: dict[str, Any]) -> Tensor:
    """The negative log-likelihood of a `Layout`'s labels, summed: for objectives in which every label counts the same."""
    return _labelled(model, batch, label_nll)


def token_smooth(model: nn.Module, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """`token_nll`, and what it would be if every token of the vocabulary were the label by the same share; summed each.

    The mean of all logits is the hidden state times the mean row of the head, so no logit more is computed.
    """
    labels, inner = batch["labels"], unwrap(model)
    _, hidden, head, _ = before_head(model, batch)
    if type(head) is not nn.Linear or not head_is_plain(inner):
        name = type(inner).__name__
        raise RecipeError(f"objective.smoothing: the logits of {name} are not those of a plain head; give 0")
    logps = label_logps(hidden, head.weight, labels, head.bias)
    bias = head.weight.new_zeros(1) if head.bias is None else head.bias
    own = (hidden * head.weight[labels]).sum(1) + (bias[labels] if head.bias is not None else 0)
    even = hidden @ head.weight.mean(0) + bias.mean()
    return -logps.sum(), (own - logps - even).sum()


def _labelled(model: nn.Module, batch: dict[str, Any], project: Callable[..., Tensor]) -> Tensor:
    """The forward pass, then `project` (label_logps or label_nll) on the hidden states of the labelled positions."""
    at, labels, inner = batch["at"], batch["labels"], unwrap(model)
    if not head_is_plain(inner):
        logps = _all_logits(
            model(**read_by(batch, inner), **no_cache(inner.__class__)).logits.flatten(0, 1)[at], labels
        )
        return logps if project is label_logps else -logps.sum()
    return _projected(before_head(model, batch), labels, project)


class Reached(NamedTuple):
    """What a forward pass makes of the labelled positions."""

    states: Tensor
    """(labelled, size): behind the backbone."""
    hidden: Tensor
    """(labelled, size): before the output head."""
    head: Any
    output: Any
    """The model's, with logits of one position only."""


def reached_nll(reached: Reached, labels: Tensor) -> Tensor:
    """The negative log-likelihood of the labels, summed, from what a forward pass made of their positions."""
    return _projected(reached, labels, label_nll)


def _projected(reached: Reached, labels: Tensor, project: Callable[..., Tensor]) -> Tensor:
    head = reached.head
    if type(head) is nn.Linear:
        return project(reached.hidden, head.weight, labels, head.bias)
    logps = _adapted_head(head, reached.hidden, labels)
    return logps if project is label_logps else -logps.sum()


def before_head(model: nn.Module, batch: dict[str, Any]) -> Reached:
    """A forward pass up to the output head, which computes no more than one position."""
    inner = unwrap(model)
    with _caught(inner, batch["at"]) as reached:
        output = model(**read_by(batch, inner), **no_cache(inner.__class__))
    return Reached(reached[0][0], reached[1][0], inner.get_output_embeddings(), output)


@contextmanager
def _caught(inner: Any, at: Tensor) -> Iterator[list[Tensor]]:
    """What leaves the backbone and what reaches the output head, (1, labelled, size) each, of a forward pass within.

    Behind the backbone the positions without a label are left out, so that what stands before the head (BERT's dense
    layer, say) computes no more than is needed; the head itself gets one position.
    """
    reached: list[Tensor] = []

    def select(module: nn.Module, args: Any, output: Any) -> Any:
        kept = output[0].flatten(0, 1).index_select(0, at)[None]
        reached.append(kept)
        return with_states(output, kept)

    def catch(module: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        reached.append(args[0])
        return (args[0][:, :1],)

    hooks = [
        backbone(inner).register_forward_hook(select),
        inner.get_output_embeddings().register_forward_pre_hook(catch),
    ]
    try:
        yield reached
    finally:
        for hook in hooks:
            hook.remove()


def with_states(output: Any, states: Tensor) -> Any:
    """What blocks answer, with other hidden states."""
    if isinstance(output, tuple):
        return (states, *output[1:])
    output["last_hidden_state"] = states
    return output


def backbone(inner: Any) -> nn.Module:
    """What makes the hidden states that the output head reads."""
    found: nn.Module = inner.get_decoder()
    head = inner.get_output_embeddings()  # which ModernBERT calls its decoder
    return inner.base_model if found is head else found


@cache
def no_cache(model: type[nn.Module]) -> dict[str, bool]:
    """Models that write take it; the others need not all."""
    return {"use_cache": False} if "use_cache" in _parameters(model.forward) else {}


@cache
def _parameters(forward: Callable[..., Any]) -> frozenset[str]:
    """The names of what a forward pass takes."""
    return frozenset(inspect.signature(forward).parameters)


def read_by(batch: dict[str, Any], inner: Any) -> dict[str, Any]:
    """What of a batch the model reads. Packed rows come with a mask that has four dimensions, which models hand on as
    it is instead of building one of the whole row; the attention that reads `spans` needs none."""
    takes = _parameters(inner.__class__.forward)
    found: dict[str, Any] = {name: batch[name] for name in READ if name in batch}
    found |= {name: batch[name] for name in SOME if name in batch and name in takes}
    if "spans" in batch:
        ids = found["input_ids"]
        found |= {"spans": batch["spans"].to(ids.device), "attention_mask": ids.new_empty((1, 1, 1, 1))}
    return found


def unwrap(model: nn.Module) -> Any:
    """The transformers model inside DDP, DeepSpeed, a compiled module and PEFT."""
    inner = _bare(model)
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner


def _bare(model: nn.Module) -> Any:
    """The transformers or PEFT model inside DDP, DeepSpeed and a compiled module."""
    if isinstance(model, PreTrainedModel) or hasattr(model, "get_base_model"):
        return model
    from accelerate.utils import extract_model_from_parallel

    # which takes 3 ms: not when nothing wraps it
    return extract_model_from_parallel(model, keep_fp32_wrapper=True)


@contextmanager
def reference(model: nn.Module) -> Iterator[nn.Module]:
    """The model as it was before training, by switching its adapter off; without gradients, and without dropout."""
    inner = _bare(model)
    off = inner.disable_adapter() if hasattr(inner, "disable_adapter") else nullcontext()
    dropping = [part for part in inner.modules() if part.training]
    for part in dropping:  # `eval` would visit them all once more
        part.training = False
    try:
        with torch.no_grad(), off:
            yield inner
    finally:
        for part in dropping:
            part.training = True


@torch.no_grad()
def head_is_plain(causal: Any) -> bool:
    """Whether the model's logits are its head's of the hidden state and nothing more; probed on large activations."""
    if causal in _plain_heads:
        return _plain_heads[causal]
    seen: list[Tensor] = []

    def amplify(module: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        seen.append(args[0] * (1e3 / args[0].abs().max().clamp(min=1e-6)))
        return (seen[0],)

    devices = [causal.device] if causal.device.type == "cuda" else []
    token = torch.zeros((1, 1), dtype=torch.long, device=causal.device)
    target = {"decoder_input_ids": token} if causal.config.is_encoder_decoder else {}
    head = causal.get_output_embeddings()
    hook = head.register_forward_pre_hook(amplify)
    try:
        with torch.random.fork_rng(devices=devices):
            theirs = causal(input_ids=token, **target, **no_cache(causal.__class__)).logits
    finally:
        hook.remove()
    ours = head(seen[0]).to(theirs.dtype)
    gap = (ours.float() - theirs.float()).abs().max()  # one of them may be in autocast's type
    plain = bool(gap <= 1e-3 * ours.abs().max())
    _plain_heads[causal] = plain
    if not plain:
        say(f"{type(causal).__name__} changes its logits after the head, so every logit is computed: exact, but slower")
    return plain


def _adapted_head(head: nn.Module, hidden: Tensor, labels: Tensor) -> Tensor:
    """Label log-probabilities through a head that carries an adapter, chunk by chunk."""
    size = max(16, 2**24 // max(1, int(getattr(head, "out_features", 2**15))))
    parts = [
        checkpoint(lambda h, y: _all_logits(head(h), y), h, y, use_reentrant=False)
        for h, y in zip(torch.split(hidden, size), torch.split(labels, size), strict=True)
    ]
    return torch.cat(parts) if parts else hidden.new_zeros(0)


def _all_logits(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.float().log_softmax(-1).gather(-1, labels[:, None]).squeeze(-1)
