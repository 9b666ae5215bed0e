"""A Trainer that visits the model's modules once: transformers visits each of them three times a step, to no effect."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from accelerate.utils import DistributedType
from torch import Tensor, nn
from transformers import Trainer


class SteadyTrainer(Trainer):  # type: ignore[misc]
    """transformers' Trainer with the same steps. A LoRA makes six modules of each layer: visiting them took a tenth of a
    step of 30 narrow layers on a CPU, and a GPU waits as long."""

    def _prepare_for_training(self, *args: Any, **options: Any) -> Any:
        """What the first step needs; from here to the end of training the modules and weights are known."""
        model, loader = super()._prepare_for_training(*args, **options)
        for name in ("_parts", "_weights"):
            self.__dict__.pop(name, None)
        if self.accelerator.distributed_type != DistributedType.DEEPSPEED:
            model.zero_grad = self._forget_gradients
        return model, loader

    def _inner_training_loop(self, *args: Any, **options: Any) -> Any:
        """The model gets its own `zero_grad` back: whoever trains it next may train other weights."""
        try:
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
        return self.accelerator.clip_grad_norm_(self._weights, self.args.max_grad_norm)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = self.accelerator.clip_grad_norm_(self._weights, float("inf")) if grad_norm is None else grad_norm
        return super()._get_grad_norm(model, grad_norm=found)

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
