"""The arithmetic that a model needs, counted from its own layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, prod
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

INTEGERS = (torch.int64, torch.int32)
Reach = list[tuple[int, int]]
"""Of each sequence, how many of its tokens are computed, and how many keys they see."""


@dataclass
class Pass:
    """One forward pass."""

    positions: int
    spans: Callable[[], Reach]
    """Not computed before it is asked for: a GPU would have to be waited for."""
    learns: bool
    """Whether gradients flow back."""
    tokens: int | None = None
    """Useful ones, where they are not those that are computed: a prompt that two answers share is used twice."""
    labels: int | None = None
    """Positions of the head, where it is computed outside of the model."""


def read_pass(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pass | None:
    """What a model is called with; None where that is no tokens."""
    given = (*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds"))
    ids = next((each for each in given if isinstance(each, Tensor) and each.dim() in (2, 3)), None)
    if ids is None:
        return None
    *rows, width = ids.shape if ids.dtype in INTEGERS else ids.shape[:-1]
    packed = kwargs.get("spans")  # of all the tokens, where a model with the head of a task is called with some
    positions = len(packed.positions) if packed is not None else prod(rows) * width
    return Pass(positions, _spans(prod(rows), width, kwargs), torch.is_grad_enabled())


def _spans(rows: int, width: int, kwargs: dict[str, Any]) -> Callable[[], Reach]:
    packed, mask, positions = kwargs.get("spans"), kwargs.get("attention_mask"), kwargs.get("position_ids")
    if packed is not None:
        listed = packed.spans
        return lambda: [(s.end - s.start, s.end - s.start + s.prefix_end - s.prefix) for s in listed]
    if isinstance(mask, Tensor) and mask.dim() in (2, 3):  # three of multiple choice
        sizes = mask.flatten(0, -2).sum(1)
        return lambda: [(n, n) for n in sizes.tolist()]
    if isinstance(positions, Tensor) and rows == 1:  # sequences side by side, each counted from its beginning
        counted = positions.flatten()
        return lambda: _between(counted.diff(prepend=counted[:1]) <= 0)
    return lambda: [(width, width)] * rows


def _between(starts: Tensor) -> Reach:
    at = starts.nonzero().flatten().tolist()
    return [(end - start, end - start) for start, end in zip(at, [*at[1:], len(starts)])]


class Arithmetic:
    """FLOPs of a model's passes, a multiplication and an addition being two.

    Linear layers are watched in one pass: 2 for each weight and each position they compute; in the backward pass 2 for
    the gradient of their input, where something below learns, and 2 for that of the weight, where it learns. So a
    frozen layer costs 4 and not 6, and one that is used twice counts twice. Attention is 4 times queries, keys and
    width, and twice that backward; the half that causality spares is included, as is usual (arXiv:2204.02311).
    """

    def __init__(self, model: nn.Module) -> None:
        given: Any = model
        config: Any = getattr(given, "config", None)
        self.model = model
        self.config: Any = config.get_text_config() if hasattr(config, "get_text_config") else config
        self.head: nn.Module | None = given.get_output_embeddings() if hasattr(given, "get_output_embeddings") else None
        self.known = not getattr(self.config, "is_encoder_decoder", False)
        """Whether this is how to count: the two stacks of an encoder-decoder see different positions."""
        self.forward = self.backward = 0.0
        """Per position, the head not included."""
        self.head_share = 1.0
        """How many of the positions the head computes."""

    def assume(self) -> None:
        """That each layer computes every position once, and needs the gradient of its input."""
        for layer in self.model.modules():
            if layer is not self.head:
                self.forward += 2 * self._weights(layer)
                self.backward += 2 * self._weights(layer) * (1 + _learns(layer))

    def watch(self, positions: int) -> Callable[[], None]:
        """Counts what the linear layers do until the answer is called."""
        called: list[int] = []

        def note(layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
            weights, rows = self._weights(layer), output.numel() // output.shape[-1]
            if layer is self.head:
                called.append(rows)
                return
            inner = args[0].requires_grad or not torch.is_grad_enabled()  # reentrant checkpoints hide that it does
            self.forward += 2 * weights * rows / positions
            self.backward += 2 * weights * rows / positions * (inner + _learns(layer))

        hooks = [layer.register_forward_hook(note) for layer in self.model.modules() if self._weights(layer)]

        def done() -> None:
            for hook in hooks:
                hook.remove()
            self.head_share = sum(called) / positions if called else 1.0

        return done

    def of(self, one: Pass, spans: Reach) -> float:
        """The FLOPs that the tokens of a pass need; padding needs none."""
        tokens = sum(queries for queries, _ in spans)
        attention = sum(
            4.0 * width * n * min(keys, most) for most, width in self._widths().items() for n, keys in spans
        )
        labels = tokens * self.head_share if one.labels is None else one.labels
        head = 2.0 * labels * (0 if self.head is None else self._weights(self.head))
        found = tokens * self.forward + attention + head
        if one.learns:
            found += tokens * self.backward + 2 * attention + head * (1 + _learns(self.head))
        return found

    def _widths(self) -> dict[float, int]:
        """The widths of the attention layers, added up by how many keys a token sees at most."""
        heads, found = getattr(self.config, "num_attention_heads", 0), Counter[float]()
        width = heads and heads * (getattr(self.config, "head_dim", None) or self.config.hidden_size // heads)
        window = getattr(self.config, "sliding_window", None) or inf
        most = {"full_attention": inf, "sliding_attention": window}
        plain = ["sliding_attention"] * getattr(self.config, "num_hidden_layers", 0)
        for kind in getattr(self.config, "layer_types", None) or plain:
            found[most.get(kind, 0)] += width
        return found

    def _weights(self, layer: nn.Module) -> int:
        """How many weights of a layer a position is multiplied with: of a mixture's, those of as many as it asks."""
        if isinstance(layer, nn.Linear):
            return layer.in_features * layer.out_features
        if isinstance(layer, Conv1D):
            return int(layer.weight.numel())
        asked = getattr(self.config, "num_experts_per_tok", None) or 0
        experts = getattr(self.config, "num_local_experts", None) or getattr(self.config, "num_experts", None)
        own = [p for p in layer.parameters(recurse=False) if p.dim() == 3 and p.shape[0] == experts]
        return sum(p[0].numel() * asked for p in own)


def _learns(layer: nn.Module | None) -> bool:
    return layer is not None and any(p.requires_grad for p in layer.parameters(recurse=False))
