"""Whether packed attention is padded attention: loss and gradients, by every kernel that a device has.

Pairs share their prompts, sequences are longer than the window, heads of keys are fewer than those of queries. In float32
the errors have fixed limits; in bfloat16 both computations are compared with the padded one in float32, and packing may
be off by twice as much as padding is.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import torch

from smolrecipes import attention
from smolrecipes.kinds import Layout
from smolrecipes.objectives.forward import token_logps
from smolrecipes.objectives.layout import Sequence

SIZES = {
    "vocab_size": 1_000, "hidden_size": 384, "intermediate_size": 768, "num_hidden_layers": 2, "num_attention_heads": 6,
    "num_key_value_heads": 2, "max_position_embeddings": 1_024, "tie_word_embeddings": True,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {"llama": {}, "mistral": {"sliding_window": 100}}
LIMITS = (1e-5, 1e-4)
"""Relative errors of loss and gradients in float32."""


def compare(device: str) -> list[dict[str, Any]]:
    """A line for each model, precision and kernel."""
    torch.backends.cuda.matmul.allow_tf32 = False
    return [line for name, own in MODELS.items() for line in compared(name, own, device)]


def compared(name: str, own: dict[str, Any], device: str) -> Iterator[dict[str, Any]]:
    """The lines of a model."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(name, **SIZES, **own)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").to(device)
    exact = loss_and_slope(model, device, False, packed=False)
    padded = errors(loss_and_slope(model, device, True, packed=False), exact)
    model.set_attn_implementation(attention.NAME)
    for half in (False, True):
        limits = [max(2 * error, 1e-3) for error in padded] if half else list(LIMITS)
        for kernel in kernels(device, half):
            facts = {"model": name, "precision": "bfloat16" if half else "float32", "kernel": kernel, "limits": limits}
            yield facts | tried(model, device, half, kernel, exact, limits)


def tried(model: Any, device: str, half: bool, kernel: str, exact: Any, limits: list[float]) -> dict[str, Any]:
    """The errors of a kernel; what it raises is shown, and the others go on."""
    with patch.object(attention, "backend", lambda *asked: kernel):
        try:
            found = errors(loss_and_slope(model, device, half, packed=True), exact)
        except Exception as error:
            traceback.print_exc()
            return {
                "errors": [],
                "right": False,
                "failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}",
            }
    return {"errors": found, "right": all(error <= limit for error, limit in zip(found, limits))}


def kernels(device: str, half: bool) -> list[str]:
    """Those that can train there."""
    if device == "cpu":
        return ["sdpa"]  # FlexAttention has no backward pass there
    chosen = attention.backend(torch.device(device), torch.bfloat16 if half else torch.float32, 64)
    return list(dict.fromkeys([chosen, "flex", "sdpa"]))


def loss_and_slope(model: Any, device: str, half: bool, packed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """A weighted loss of all answers, and its gradients in one vector."""
    batch = Layout(packed=packed)(pairs())
    batch = {name: part.to(device) if hasattr(part, "to") else part for name, part in batch.items()}
    model.zero_grad()
    with torch.autocast(device, torch.bfloat16, enabled=half):
        logps, rows = token_logps(model, batch)
        loss = -(logps * (1 + rows % 3)).sum() / len(logps)
    loss.backward()
    slope = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
    return loss.detach().double(), slope.double()


def pairs(count: int = 6) -> list[Sequence]:
    """First the chosen answers, then the rejected ones, which share the prompts: no length is a multiple of a block's."""
    draw = torch.Generator().manual_seed(0)

    def ids(least: int, most: int) -> list[int]:
        size = int(torch.randint(least, most, (1,), generator=draw))
        return torch.randint(3, SIZES["vocab_size"], (size,), generator=draw).tolist()

    prompts = [ids(20, 200) for _ in range(count)]
    made = []
    for side in range(2):
        for index, prompt in enumerate(prompts):
            said, shares = ids(10, 300), (index, len(prompt)) if side else (0, 0)
            made.append(Sequence(prompt + said, [-100] * len(prompt) + said, shares))
    return made


def errors(found: tuple[torch.Tensor, torch.Tensor], exact: tuple[torch.Tensor, torch.Tensor]) -> list[float]:
    """Relative errors of loss and gradients."""
    return [float((one - other).norm() / other.norm()) for one, other in zip(found, exact)]
