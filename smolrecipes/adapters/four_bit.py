"""A linear layer held in 4 bits by bitsandbytes, and back."""

from __future__ import annotations

import bitsandbytes
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Params4bit
from torch import Tensor, nn


class Linear4bit(bitsandbytes.nn.Linear4bit):  # type: ignore[misc]
    """Computes as any linear layer does: in autocast's type where it is on, else in its input's.

    Theirs takes its type from the first call, casts the bias to it for good, and on some CPUs evaluates in bfloat16
    whatever the run's precision, after which it cannot be trained.
    """

    def __init__(self, layer: nn.Linear, quantization: str, double: bool) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        weight = Params4bit(layer.weight.data, compress_statistics=double, quant_type=quantization, module=self)
        self.weight = weight.to(layer.weight.device)  # which quantises; later moves take the statistics along
        self.bias = layer.bias
        self.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in_features), in any floating type."""
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        found: Tensor = bitsandbytes.matmul_4bit(x.to(dtype), self.weight, self.weight.quant_state, bias=bias)
        return found


def in_float(layer: bitsandbytes.nn.Linear4bit) -> nn.Linear:
    """The layer with the weight that it computes with, in the type that was quantised."""
    plain = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
    plain.weight = nn.Parameter(dequantize_4bit(layer.weight.data, layer.weight.quant_state), requires_grad=False)
    plain.bias = layer.bias
    return plain.train(layer.training)
