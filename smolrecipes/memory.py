"""What a training step needs of memory: the longest batch, rehearsed before step one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from smolrecipes.errors import RecipeError
from smolrecipes.gauge import Gauge, free
from smolrecipes.heap import keep_freed
from smolrecipes.launch import everyones

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolrecipes.trainer import RecipeTrainer


FEW = 8
"""Rows from which it is told what each takes."""


@dataclass
class _Tried:
    """What a rehearsal has found, also where it fails halfway."""

    gauge: Gauge
    idle: bool = False
    """Whether a weight got no gradient, which several processes would wait for in vain (LUKE's pooler's)."""
    trained: bool = False
    """Whether training had room."""


def rehearse(trainer: RecipeTrainer) -> Gauge:
    """Runs the longest micro-batch forward and backward, an optimizer step, an evaluation and a save, and undoes them.

    Returns what each took, above what was held before: on the GPU, or by the process on a CPU. The optimizer's state is
    there from the beginning, as it is from the run's second step on. Weights, gradients, optimizer and random numbers are
    as before. On a GPU where it does not fit, the micro-batch is halved until it does; where one row does not, or on a
    CPU, RecipeError says which option to change.
    """
    _checkpoint(trainer)
    for problem in everyones(_no_room(trainer)):
        if problem:
            raise RecipeError(problem)
    while True:
        tried = _Tried(Gauge(trainer.args.device))
        with _own_randomness(trainer.args.device), keep_freed(trainer.args.device):
            failed = _fails(partial(_rehearse, trainer, tried))
        _forget(trainer)
        # one question to all ranks, also where one of them alone has failed
        asked = [failed, failed and not tried.trained, tried.idle]
        found = torch.tensor(asked, dtype=torch.float32, device=trainer.args.device)
        failed_anywhere, in_training, idle_anywhere = trainer.accelerator.reduce(found).tolist()
        if not failed_anywhere:
            look_for_idle(trainer, bool(idle_anywhere))
            return tried.gauge
        _halve(trainer, bool(in_training))


def _checkpoint(trainer: RecipeTrainer) -> None:
    """Switches checkpointing on where it is asked for, as Trainer.train() will again."""
    if trainer.args.activation_checkpointing:
        kwargs = dict(trainer.args.activation_checkpointing_kwargs)
        offload = kwargs.pop("offload", False)
        trainer.model.activation_checkpointing_enable(kwargs, offload=offload)


def _rehearse(trainer: RecipeTrainer, tried: _Tried) -> None:
    """Asks no other rank: one of them may run out of memory alone."""
    model, gauge = trainer.model, tried.gauge
    model.train()
    _idle_step(trainer)
    model.zero_grad(set_to_none=True)
    buckets = _buckets(trainer)
    with gauge.phase("forward"), trainer.compute_loss_context_manager():
        batch = trainer._prepare_inputs(trainer.get_train_dataloader().longest())
        loss = trainer.compute_loss(model, batch)
    with gauge.phase("backward"):
        loss.backward()  # type: ignore[no-untyped-call]
    tried.idle = any(weight.requires_grad and weight.grad is None for weight in model.parameters())
    with gauge.phase("optimizer step"):
        _idle_step(trainer)
    model.zero_grad(set_to_none=True)
    tried.trained = True
    if trainer.eval_dataset is not None:
        with gauge.phase("evaluation"), torch.no_grad(), trainer.compute_loss_context_manager():
            trainer.compute_loss(model.eval(), trainer._prepare_inputs(trainer.get_eval_dataloader().longest()))
    with gauge.phase("save"), tempfile.TemporaryDirectory(dir=Path(trainer.args.output_dir).parent) as folder:
        if trainer.args.process_index == 0:
            model.save_pretrained(folder)
    del buckets


def _buckets(trainer: RecipeTrainer) -> Tensor:
    """As much as DDP takes for the gradients that several processes add up, beside the gradients themselves."""
    size = _gradients(trainer) if trainer.args.world_size > 1 else 0
    return torch.ones(size, dtype=torch.uint8, device=trainer.args.device)


def _gradients(trainer: RecipeTrainer) -> int:
    """Bytes of the gradients of all trained weights."""
    return sum(weight.nbytes for weight in trainer.model.parameters() if weight.requires_grad)


def look_for_idle(trainer: Any, looked_for: bool) -> None:
    """Tells DDP; its handler was made with the trainer, and reads the arguments no more."""
    trainer.args.ddp_find_unused_parameters = looked_for
    if (handler := trainer.accelerator.ddp_handler) is not None:
        handler.find_unused_parameters = looked_for


def _idle_step(trainer: RecipeTrainer) -> None:
    """A step of the run's own optimizer at a rate of 0 on gradients of 0, which makes its state and changes no weight: a
    gradient that is not finite would, at any rate."""
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad.zero_()
    optimizer = trainer.create_optimizer()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    if hasattr(optimizer, "train"):  # a schedule-free one
        optimizer.train()
    optimizer.step()


def _forget(trainer: RecipeTrainer) -> None:
    trainer.model.zero_grad(set_to_none=True)
    trainer.model.train()
    trainer.optimizer = None
    trainer.tally.reset()
    if trainer.args.device.type == "cuda":
        torch.cuda.empty_cache()


def _own_randomness(device: torch.device) -> Any:
    """Undoes what is drawn on the CPU and on this device; asking every other GPU would take memory on each."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _raises(device: torch.device) -> bool:
    """Whether too much memory is an error there; on a CPU it is the end of the process."""
    return device.type != "cpu"


def _fails(act: Callable[[], None]) -> bool:
    """Whether it needs more memory than the device has."""
    try:
        act()
    except torch.OutOfMemoryError:
        return True
    return False


def _halve(trainer: RecipeTrainer, training: bool) -> None:
    """Twice as many micro-steps, of half the rows; where training has room, half the held-out rows alone."""
    args = trainer.args
    batches = (trainer.get_train_dataloader() if training else trainer.get_eval_dataloader()).batches
    if len(batches.longest()) == 1:
        raise RecipeError(f"one row of {batches.lengths.max():,} tokens does not fit the GPU; {_remedy(trainer)}")
    args.per_device_eval_batch_size = -(-args.per_device_eval_batch_size // 2)
    if training:
        args.per_device_train_batch_size = -(-args.per_device_train_batch_size // 2)
        args.gradient_accumulation_steps *= 2


def _no_room(trainer: RecipeTrainer) -> str:
    """On a CPU, where asking for too much ends the process without a word: what one row takes, and what each further one
    of a few, for all of a micro-batch; and what to do where there is not as much."""
    if _raises(trainer.args.device):
        return ""
    from smolrecipes.optimizers import averages

    rows = trainer.args.per_device_train_batch_size
    first = _taken(trainer, 1)
    gradients = _gradients(trainer)
    kept = averages(trainer.create_optimizer())
    one, room = max(0, first - gradients), free()
    few = min(rows, FEW, (room - gradients - kept) // max(1, one))  # no more than surely fit
    each = max(0, _taken(trainer, few) - first) // (few - 1) if few > 1 else one
    _forget(trainer)
    fixed = gradients + kept + one - each
    if (needed := fixed + each * rows) > room:
        most = int((room - fixed) / max(1, each) / 2)
        fewer = f"set training.micro_batch_size={max(1, most)}, or " if rows > 1 and room > fixed else ""
        return (
            f"a micro-batch of {rows} rows needs about {needed / 2**30:.1f} GiB and {room / 2**30:.1f} GiB are free; "
            f"{fewer}{_remedy(trainer)}"
        )
    return ""


def _taken(trainer: RecipeTrainer, count: int) -> int:
    """Bytes that the `count` longest rows take, forward and backward, with the gradients."""
    gauge, loader = Gauge(trainer.args.device), trainer.get_train_dataloader()
    longest = (-loader.batches.lengths).argsort(kind="stable")[:count]
    trainer.model.train()
    with _own_randomness(trainer.args.device), gauge.phase(f"{count} rows"):
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(loader.of(longest.tolist())))
        loss.backward()  # type: ignore[no-untyped-call]
    trainer.model.zero_grad(set_to_none=True)
    return gauge.peaks[f"{count} rows"]


def _remedy(trainer: RecipeTrainer) -> str:
    """What else takes less memory and is not set yet."""
    ways = ["lower training.max_length"]
    if not trainer.args.activation_checkpointing:
        ways.append("set training.gradient_checkpointing=true")
    if not hasattr(trainer.model, "peft_config"):
        ways.append("train a LoRA instead of all weights (adapter=lora; qlora holds them in 4 bits)")
    return ", or ".join(ways)
