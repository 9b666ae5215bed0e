"""What a training step needs of memory: the longest batch rehearsed before step one, and what checkpointing keeps."""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from smolrecipes.errors import RecipeError
from smolrecipes.heap import keep_freed
from smolrecipes.launch import everyones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolrecipes.trainer import RecipeTrainer

KEPT = frozenset({
    "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention", "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention", "torch_attn::_varlen_attn", "flash_attn::_flash_attn_varlen_forward",
    "flex_attention", "bitsandbytes::gemm_4bit",
})  # fmt: skip
"""The operations whose results selective checkpointing keeps: they cost far more time than memory."""


def selective() -> Any:
    """The contexts for `torch.utils.checkpoint` that recompute everything but matrix products and attention."""
    from torch.utils.checkpoint import create_selective_checkpoint_contexts

    return create_selective_checkpoint_contexts(_policy)  # type: ignore[no-untyped-call]


def _policy(context: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
    from torch.utils.checkpoint import CheckpointPolicy

    return CheckpointPolicy.MUST_SAVE if operation.name() in KEPT else CheckpointPolicy.PREFER_RECOMPUTE


def rehearse(trainer: RecipeTrainer) -> dict[str, int]:
    """Runs the longest micro-batch forward and backward, an optimizer step, an evaluation and a save, and undoes them.

    Returns the peak of each in bytes above the level before: on the GPU, or of the process on a CPU. Weights, gradients,
    optimizer and random numbers are as before. On a GPU where it does not fit, the micro-batch is halved until it does;
    where one row does not, or on a CPU, RecipeError says which option to change.
    """
    _checkpoint(trainer)
    for problem in everyones(_no_room(trainer)):
        if problem:
            raise RecipeError(problem)
    while True:
        peaks: dict[str, int] = {}
        idle: list[bool] = []
        tried: list[bool] = []
        with _own_randomness(trainer.args.device), keep_freed(trainer.args.device):
            failed = _fails(partial(_rehearse, trainer, peaks, idle, tried))
        _forget(trainer)
        # one question to all ranks, also where one of them alone has failed
        asked = [failed, failed and not tried, any(idle)]
        found = torch.tensor(asked, dtype=torch.float32, device=trainer.args.device)
        failed_anywhere, in_training, idle_anywhere = trainer.accelerator.reduce(found).tolist()
        if not failed_anywhere:
            look_for_idle(trainer, bool(idle_anywhere))
            return peaks
        _halve(trainer, bool(in_training))


def _checkpoint(trainer: RecipeTrainer) -> None:
    """Switches checkpointing on where it is asked for, as Trainer.train() will again."""
    if trainer.args.activation_checkpointing:
        kwargs = dict(trainer.args.activation_checkpointing_kwargs)
        offload = kwargs.pop("offload", False)
        trainer.model.activation_checkpointing_enable(kwargs, offload=offload)


def _rehearse(trainer: RecipeTrainer, peaks: dict[str, int], idle: list[bool], tried: list[bool]) -> None:
    """Asks no other rank: one of them may run out of memory alone. idle: gets whether a weight got no gradient, which
    several processes would wait for in vain (LUKE's pooler's). tried: gets that training had room."""
    model, loader = trainer.model, trainer.get_train_dataloader()
    peak = partial(_peak, trainer.args.device, peaks)
    model.train()
    _forward_backward(trainer, loader.longest(), peak)
    idle.append(any(weight.requires_grad and weight.grad is None for weight in model.parameters()))
    with peak("optimizer step"):
        _idle_step(trainer)
    if _raises(trainer.args.device):  # from the second step on the optimizer's state is there as well
        model.zero_grad()
        _forward_backward(trainer, loader.longest(), peak)
    tried.append(True)
    if trainer.eval_dataset is not None:
        with peak("evaluation"), torch.no_grad(), trainer.compute_loss_context_manager():
            trainer.compute_loss(model.eval(), trainer._prepare_inputs(trainer.get_eval_dataloader().longest()))
    with peak("save"), tempfile.TemporaryDirectory(dir=Path(trainer.args.output_dir).parent) as folder:
        if trainer.args.process_index == 0:
            model.save_pretrained(folder)


def _forward_backward(trainer: RecipeTrainer, batch: dict[str, Any], peak: Callable[[str], Any]) -> None:
    with peak("forward"), trainer.compute_loss_context_manager():
        loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(batch))
    with peak("backward"):
        loss.backward()  # type: ignore[no-untyped-call]


def look_for_idle(trainer: Any, looked_for: bool) -> None:
    """Tells DDP; its handler was made with the trainer, and reads the arguments no more."""
    trainer.args.ddp_find_unused_parameters = looked_for
    if (handler := trainer.accelerator.ddp_handler) is not None:
        handler.find_unused_parameters = looked_for


def _idle_step(trainer: RecipeTrainer) -> None:
    """A step of the run's own optimizer at a rate of 0 on gradients of 0, which makes its state and changes no weight: a
    gradient that is not finite would, at any rate."""
    for weight in trainer.model.parameters():
        if weight.grad is not None:
            weight.grad.zero_()
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
    """On a CPU, where asking for too much ends the process without a word: what one row takes, for all of a micro-batch,
    and what to do where there is not as much."""
    if _raises(trainer.args.device):
        return ""
    import psutil  # type: ignore[import-untyped]

    from smolrecipes.optimizers import averages

    peaks: dict[str, int] = {}
    loader, rows = trainer.get_train_dataloader(), trainer.args.per_device_train_batch_size
    row = loader.of([int(loader.batches.lengths.argmax())])
    trainer.model.train()
    with _own_randomness(trainer.args.device), _peak(trainer.args.device, peaks, "row"):
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(row))
        loss.backward()  # type: ignore[no-untyped-call]
    gradients = sum(weight.nbytes for weight in trainer.model.parameters() if weight.requires_grad)
    fixed = gradients + averages(trainer.create_optimizer())
    _forget(trainer)
    each, free = max(0, peaks["row"] - gradients), psutil.virtual_memory().available
    if (needed := fixed + each * rows) > free:
        most = int((free - fixed) / max(1, each) / 2)
        fewer = f"set training.micro_batch_size={max(1, most)}, or " if rows > 1 and free > fixed else ""
        return (
            f"a micro-batch of {rows} rows needs about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; "
            f"{fewer}{_remedy(trainer)}"
        )
    return ""


def _remedy(trainer: RecipeTrainer) -> str:
    """What else takes less memory and is not set yet."""
    ways = ["lower training.max_length"]
    if not trainer.args.activation_checkpointing:
        ways.append("set training.gradient_checkpointing=true")
    if not hasattr(trainer.model, "peft_config"):
        ways.append("train a LoRA instead of all weights (adapter=lora; qlora holds them in 4 bits)")
    return ", or ".join(ways)


@contextmanager
def _peak(device: torch.device, peaks: dict[str, int], name: str) -> Iterator[None]:
    """Notes the most memory held inside, above the level at its start."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield
        peaks[name] = torch.cuda.max_memory_allocated(device) - before
        return
    gauge = _Gauge()
    try:
        yield
    finally:
        peaks[name] = gauge.stop()


class _Gauge:
    """The peak of this process's memory, looked at every few milliseconds."""

    def __init__(self) -> None:
        import psutil

        self.process, self.done = psutil.Process(), threading.Event()
        self.start = self.top = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.done.wait(0.005):
            self.top = max(self.top, self.process.memory_info().rss)

    def stop(self) -> int:
        """Bytes above the start."""
        self.done.set()
        self.thread.join()
        return int(max(self.top, self.process.memory_info().rss) - self.start)
