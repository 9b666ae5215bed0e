"""What a training step needs of memory: the longest batch rehearsed before step one, and what checkpointing keeps."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolrecipes.trainer import RecipeTrainer

KEPT = ("mm", "addmm", "bmm", "baddbmm", "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention")  # fmt: skip
"""The operations whose results selective checkpointing keeps: they cost far more time than memory."""


def selective() -> Any:
    """The contexts for `torch.utils.checkpoint` that recompute everything but matrix products and attention."""
    from torch.utils.checkpoint import create_selective_checkpoint_contexts

    kept = [getattr(torch.ops.aten, name).default for name in KEPT]
    return create_selective_checkpoint_contexts(kept)


def rehearse(trainer: RecipeTrainer) -> dict[str, int]:
    """Runs the longest micro-batch forward and backward, an optimizer step and an evaluation, and undoes them.

    Returns the peak of each in bytes above the level before, on the device, or of the process on a CPU. Weights,
    gradients, optimizer and random numbers are as before. On a GPU where it does not fit, the micro-batch is halved until
    it does; where not even one row fits, or not on a CPU, RecipeError says which option to change.
    """
    while True:
        try:
            return _rehearse(trainer)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            _halve(trainer)


def _rehearse(trainer: RecipeTrainer) -> dict[str, int]:
    model, peaks = trainer.model, {}
    batch = trainer.longest()
    with torch.random.fork_rng(devices=[0] if torch.cuda.is_available() else []):
        model.train()
        with _peak(peaks, "forward"):
            loss = trainer.compute_loss(model, trainer._prepare_inputs(batch))
        with _peak(peaks, "backward"):
            loss.backward()
        with _peak(peaks, "optimizer"):
            _idle_step(trainer)
        model.zero_grad(set_to_none=True)
        trainer.tally.reset()
    return peaks


def _idle_step(trainer: RecipeTrainer) -> None:
    """A step of the run's own optimizer at a rate of 0, which makes its state and changes no weight; then it is gone."""
    optimizer = trainer.create_optimizer()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    trainer.optimizer = None


def _halve(trainer: RecipeTrainer) -> None:
    """Twice as many micro-steps of half the rows."""
    args = trainer.args
    if args.per_device_train_batch_size == 1:
        raise RecipeError(
            f"one row of {trainer.longest()['input_ids'].numel():,} tokens does not fit the device: lower "
            "training.max_length, set training.gradient_checkpointing=true, or train a LoRA (adapter=lora)"
        )
    args.per_device_train_batch_size = args.per_device_eval_batch_size = -(-args.per_device_train_batch_size // 2)
    args.gradient_accumulation_steps *= 2


@contextmanager
def _peak(peaks: dict[str, int], name: str) -> Iterator[None]:
    """Notes the most memory held inside, above the level at its start."""
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        yield
        peaks[name] = torch.cuda.max_memory_allocated() - before
        return
    watch = _Watch()
    yield
    peaks[name] = watch.stop()


class _Watch:
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
        return max(self.top, self.process.memory_info().rss) - self.start
