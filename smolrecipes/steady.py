"""A Trainer of the same steps at less cost: it visits modules and gradients once, and keeps the heap between steps."""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import Any

import torch
from accelerate.utils import DistributedType
from torch import Tensor, nn
from transformers import Trainer

from smolrecipes.callbacks.guard import Guard
from smolrecipes.heap import keep_freed


class SteadyTrainer(Trainer):  # type: ignore[misc]
    """transformers' Trainer with the same steps. transformers visits each module three times a step, to no effect; a LoRA
    makes six of each layer: that took a tenth of a step of 30 narrow layers on a CPU, and a GPU waits as long."""

    def _prepare_for_training(self, *args: Any, **options: Any) -> Any:
        """What the first step needs; from here to the end of training the modules and weights are known."""
        model, loader = super()._prepare_for_training(*args, **options)
        for name in ("_parts", "_weights", "_named"):
            self.__dict__.pop(name, None)
        if self.accelerator.distributed_type != DistributedType.DEEPSPEED:
            model.zero_grad = self._forget_gradients
        return model, loader

    def _inner_training_loop(self, *args: Any, **options: Any) -> Any:
        """The model gets its own `zero_grad` back: whoever trains it next may train other weights."""
        try:
            with keep_freed(self.args.device):
                return super()._inner_training_loop(*args, **options)
        finally:
            self.model_wrapped.__dict__.pop("zero_grad", None)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Forward and backward of one micro-batch; its loss, which `compute_loss` has scaled."""
        if not all(part.training for part in self._parts):
            model.train()
        if hasattr(self.optimizer, "train"):  # a schedule-free one
            self.optimizer.train()
        with self.compute_loss_context_manager():
            loss = self.compute_loss(model, self._prepare_inputs(inputs), num_items_in_batch=num_items_in_batch)
        scaled = self.accelerator.distributed_type == DistributedType.DEEPSPEED
        self.accelerator.backward(loss, **({"scale_wrt_gas": False} if scaled else {}))
        found: Tensor = loss.detach()
        return found

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        return self._clip(self.args.max_grad_norm)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        return super()._get_grad_norm(model, grad_norm=self._clip(inf) if grad_norm is None else grad_norm)

    def _clip(self, most: float) -> Any:
        """The norm of all gradients; from then on it is at most `most`. As accelerate does it, but that a process which is
        alone tells `Guard` the norm of each: visiting 16 million gradients once more takes a hundredth of a step."""
        held = {name: weight.grad for name, weight in self._named.items() if weight.grad is not None}
        if not self._alone or len({(gradient.device, gradient.dtype) for gradient in held.values()}) != 1:
            return self.accelerator.clip_grad_norm_(self._weights, most)
        self.accelerator.unscale_gradients()
        gradients = list(held.values())
        norms = torch._foreach_norm(gradients, dtype=torch.float32 if gradients[0].dtype == torch.float16 else None)
        for guard in self.callback_handler.callbacks:
            if isinstance(guard, Guard):
                guard.tell(dict(zip(held, norms)))
        total = torch.linalg.vector_norm(torch.stack(norms))
        if most < inf:
            torch.nn.utils.clip_grads_with_norm_(self._weights, most, total)
        return total

    @property
    def _alone(self) -> bool:
        """Whether the gradients here are all that there are, as they are: one process, without DeepSpeed, FSDP and the like."""
        usual = (DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU)
        return self.args.world_size == 1 and self.accelerator.distributed_type in usual

    def _forget_gradients(self, set_to_none: bool = True) -> None:
        """In place of `zero_grad`."""
        for weight in self._weights:
            weight.grad = None

    @cached_property
    def _parts(self) -> list[nn.Module]:
        return list(self.model_wrapped.modules())

    @cached_property
    def _weights(self) -> list[nn.Parameter]:
        """Frozen ones as well: a callback may thaw them."""
        return list(self.model_wrapped.parameters())

    @cached_property
    def _named(self) -> dict[str, nn.Parameter]:
        return dict(self.model.named_parameters())
