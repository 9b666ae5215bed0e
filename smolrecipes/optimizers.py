"""The optimizers of `Training.optimizer`: what transformers has by name, and Muon."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import Trainer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""The quintic that drives every singular value to about 1 in five rounds (Jordan et al. 2024)."""
TOGETHER = 1 << 26
"""Numbers that are orthogonalised at once, at most: matrices of one shape go through the products as a batch."""


def optimizer_options(name: str, cuda: bool) -> dict[str, Any]:
    """The TrainingArguments that choose an optimizer of transformers; RecipeError where it cannot run."""
    if name != "adamw_8bit":
        return {}
    if not cuda:
        raise RecipeError("training.optimizer=adamw_8bit needs a cuda device; here take adamw or muon")
    if find_spec("bitsandbytes") is None:
        raise RecipeError("training.optimizer=adamw_8bit needs bitsandbytes: pip install 'smolrecipes[gpu]'")
    return {"optim": "adamw_8bit"}


def use(name: str, trainer: Trainer) -> None:
    """Lets a trainer, ours or another, make the optimizer of that name when it makes its own."""
    if name != "muon":
        return
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        raise RecipeError(
            "training.optimizer=muon needs whole matrices, and ZeRO cuts them up flat; launch without DeepSpeed"
        )

    def make(model: nn.Module) -> Muon:
        args = trainer.args
        groups = muon_groups(model, trainer.get_decay_parameter_names(model), args.weight_decay)
        return Muon(groups, args.learning_rate, betas=(args.adam_beta1, args.adam_beta2), eps=args.adam_epsilon)

    trainer.optimizer_cls_and_kwargs = (lambda: make, {})  # transformers' form for an optimizer that looks at the model


def muon_groups(model: nn.Module, decayed: Iterable[str], weight_decay: float) -> list[dict[str, Any]]:
    """The trainable weights: hidden matrices for Muon; embeddings, heads, norms, biases and bare parameters (XLNet's) for
    AdamW.

    decayed: the names of the weights that decay.
    """
    hidden = _hidden(model)
    found: dict[tuple[bool, bool], list[Tensor]] = defaultdict(list)
    names = set(decayed)
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            found[id(weight) in hidden, name in names].append(weight)
    if not any(matrix for matrix, _ in found):
        raise RecipeError("training.optimizer=muon: no hidden matrix is trained; take adamw")
    return [
        {"params": weights, "weight_decay": weight_decay * decays, "orthogonal": matrix}
        for (matrix, decays), weights in found.items()
    ]


def _hidden(model: nn.Module) -> set[int]:
    """The ids of the matrices inside, between embeddings and heads; also of a generator beside the model."""
    from transformers import PreTrainedModel
    from transformers.pytorch_utils import Conv1D

    models: list[Any] = [part for part in model.modules() if isinstance(part, PreTrainedModel)]
    parts = {inner for one in models for inner in one.base_model.modules()}
    products = {id(part.weight) for part in parts if isinstance(part, (nn.Linear, Conv1D))}
    outer = [part for part in parts if isinstance(part, nn.Embedding)]
    outer += [head for one in models if (head := one.get_output_embeddings()) is not None]  # T5 is its own base model
    return products - {id(weight) for part in outer for weight in part.parameters()}


def averages(optimizer: Optimizer) -> int:
    """Bytes of what an optimizer will keep of the gradients: Adam two averages of each, Muon one of a matrix's."""

    def kept(group: dict[str, Any]) -> int:
        if "orthogonal" in group:
            return 1 if group["orthogonal"] else 2
        return 2 if "adam" in type(optimizer).__name__.lower() else 0

    return sum(kept(group) * weight.nbytes for group in optimizer.param_groups for weight in group["params"])


class Muon(Optimizer):
    """Momentum, orthogonalised, for groups with `orthogonal`; AdamW for the others. One rate serves both.

    An orthogonal update of an (n, m) matrix is scaled by 0.2 sqrt(max(n, m)), AdamW's root mean square
    (arXiv:2502.16982); weight decay is decoupled.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        kinds = {weight.device.type for group in groups for weight in group["params"]}
        fused = kinds <= {"cpu", "cuda"}
        super().__init__(groups, {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "fused": fused})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of every group."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            (self._orthogonal if group["orthogonal"] else self._adamw)(group)
        return loss

    def _orthogonal(self, group: dict[str, Any]) -> None:
        shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for weight in group["params"]:
            if weight.grad is not None:
                shapes[weight.shape].append(weight)
        for shape, weights in shapes.items():
            size = max(1, TOGETHER // shape.numel())
            for start in range(0, len(weights), size):
                self._orthogonal_batch(weights[start : start + size], group)

    def _orthogonal_batch(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Weights of one shape."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        grads: list[Any] = [weight.grad for weight in weights]
        sums = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_lerp_(sums, grads, 1 - group["momentum"])
        ahead = torch._foreach_lerp(grads, sums, group["momentum"])  # Nesterov's
        updates = orthogonal(torch.stack(ahead)).to(weights[0].dtype)
        scale = 0.2 * max(weights[0].shape) ** 0.5
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, list(updates.unbind()), alpha=-group["lr"] * scale)

    def _adamw(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                device = weight.device if group["fused"] else None
                step = torch.zeros((), dtype=torch.float32, device=device)
                averages = {"exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}
                self.state[weight].update(step=step, **averages)
        state = {name: [self.state[weight][name] for weight in weights] for name in ("exp_avg", "exp_avg_sq", "step")}
        beta1, beta2 = group["betas"]
        adamw(
            weights, [weight.grad for weight in weights], state["exp_avg"], state["exp_avg_sq"], [], state["step"],
            fused=group["fused"], amsgrad=False, beta1=beta1, beta2=beta2, lr=group["lr"],
            weight_decay=group["weight_decay"], eps=group["eps"], maximize=False,
        )  # fmt: skip


def orthogonal(matrices: Tensor) -> Tensor:
    """(..., n, m) with singular values brought to about 1 (0.7 to 1.2), by five Newton-Schulz rounds.

    In bfloat16, for which the rounds were made, where the device multiplies matrices in it; in float32 elsewhere.
    """
    x = matrices.to(torch.bfloat16) if _has_bfloat16(matrices.device) else matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


@lru_cache
def _has_bfloat16(device: torch.device) -> bool:
    """A GPU, or a processor with matrix units for it, which torch 2.7 and later can tell."""
    if device.type == "cpu":
        return hasattr(torch.cpu, "get_capabilities") and bool(torch.cpu.get_capabilities().get("amx_bf16"))
    return device.type == "cuda"
