"""A Trainer that looks at the model's modules once: transformers visits each of them three times a step, to no effect."""

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
        """What the first step needs; from here on the weights that are trained are known."""
        model, loader = super()._prepare_for_training(*args, **options)
        self.__dict__.pop("_trained", None)
        if self.accelerator.distributed_type != DistributedType.DEEPSPEED:
            model.zero_grad = self._forget_gradients
        return model, loader

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Forward and backward of one micro-batch; its loss, which `compute_loss` has scaled."""
        if not (model.training and self.model.training):
            model.train()
        with self.compute_loss_context_manager():
            loss = self.compute_loss(model, self._prepare_inputs(inputs), num_items_in_batch=num_items_in_batch)
        scaled = self.accelerator.distributed_type == DistributedType.DEEPSPEED
        self.accelerator.backward(loss, **({"scale_wrt_gas": False} if scaled else {}))
        found: Tensor = loss.detach()
        return found

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        return self.accelerator.clip_grad_norm_(self._trained, self.args.max_grad_norm)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = self.accelerator.clip_grad_norm_(self._trained, float("inf")) if grad_norm is None else grad_norm
        return super()._get_grad_norm(model, grad_norm=found)

    def _forget_gradients(self, set_to_none: bool = True) -> None:
        """In place of `zero_grad`."""
        for weight in self._trained:
            weight.grad = None

    @cached_property
    def _trained(self) -> list[nn.Parameter]:
        return [weight for weight in self.model_wrapped.parameters() if weight.requires_grad]
