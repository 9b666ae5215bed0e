"""The processes of a run: who they are, and that what was asked for is what runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

from smolrecipes.console import is_first, say
from smolrecipes.errors import RecipeError


def join(device: str = "auto") -> Any:
    """Joins the process group that the launcher made, if any, and returns accelerate's PartialState.

    DeepSpeed started without a launcher's environment looks for MPI; a group of one process is made instead.
    """
    hush()
    import datasets
    import torch
    from accelerate import PartialState
    from transformers.utils.logging import disable_progress_bar

    datasets.disable_progress_bars()  # one progress line is enough
    disable_progress_bar()
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # DeepSpeed would guess the same, with a warning
    deepspeed = os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"
    if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3" or os.environ.get("ACCELERATE_USE_FSDP") == "true":
        raise RecipeError(
            "ZeRO-3 and FSDP shard the weights, which saving here does not gather; take --zero_stage 2 or DDP"
        )
    if deepspeed and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":
        raise RecipeError(
            "accelerate launch: --cpu makes accelerate drop DeepSpeed without a word; leave --cpu out "
            "(add training.device=cpu where there is a GPU that should not be used)"
        )
    if deepspeed and "RANK" not in os.environ:
        os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port())
    # without cpu=True accelerate sees one process where there is no GPU; with it, DeepSpeed is dropped
    state = PartialState(cpu=not deepspeed and (device == "cpu" or not torch.cuda.is_available()))
    asked = int(os.environ.get("SMOLRECIPES_PROCESSES", state.num_processes))
    if asked != state.num_processes:
        raise RecipeError(
            f"{asked} processes were asked for, but {state.num_processes} joined: launch them with --multi_gpu"
        )
    return state


def hush() -> None:
    """bitsandbytes, which peft imports where it is installed, misses a kernel on some CPUs that nothing here uses; and peft
    itself calls something by an old name."""
    import logging

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def device_options(device: str) -> dict[str, Any]:
    """The TrainingArguments that choose the device, or RecipeError when it is not there."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True, "auto": True}
    if not there[device]:
        found = [name for name in ("cuda", "mps", "cpu") if there[name]]
        raise RecipeError(f"training.device={device}: torch finds no such device here; there is {' and '.join(found)}")
    if device == "mps" and there["cuda"]:
        raise RecipeError("training.device=mps: transformers takes cuda where both are present")
    return {"use_cpu": device == "cpu" or not (there["cuda"] or there["mps"])}


BY_ACCELERATE = os.environ.get("ACCELERATE_MIXED_PRECISION", "")
"""The precision that `accelerate launch` was asked for, empty without it; the recipe's arguments set the variable later on."""
LAUNCHED = "RANK" in os.environ or bool(BY_ACCELERATE)
"""Whether a launcher started this process: it passes signals on, and its end is ours."""
PARENT = os.getppid()
"""Who started this process: read early, since whoever adopts an orphan is its parent afterwards."""
LAUNCHER = int(os.environ.get("SMOLRECIPES_LAUNCHER", "0"))
"""The process that was asked for several and started the launcher."""
HEARD = b"\nsaves after this step and stops; once more ends at once, without saving\n"
"""What a process says to the first signal."""
_PRECISIONS = {"bf16": "bfloat16", "fp16": "float16"}
"""What accelerate's --mixed_precision calls the precisions."""


def precision_options(precision: str, cuda: bool) -> dict[str, bool | None]:
    """The TrainingArguments that choose the precision.

    auto is what the launcher was asked for, else bfloat16 on a GPU that has it, else float32.
    """
    import torch

    asked = _PRECISIONS.get(BY_ACCELERATE)
    if precision == "auto":
        precision = asked or ("bfloat16" if cuda and torch.cuda.is_bf16_supported(False) else "float32")
    elif asked and asked != precision:
        raise RecipeError(f"accelerate launches in {asked}, but training.precision={precision}; make them agree")
    if precision in ("float16", "tf32") and not cuda:
        raise RecipeError(f"{precision} needs a cuda device; here take training.precision=float32 or bfloat16")
    return {
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "tf32": precision == "tf32" if cuda else None,
    }


def use_tf32(arguments: Any) -> None:
    """For products, which keep a setting of their own in torch 2.9 and later: transformers changes the general one alone."""
    import torch

    if arguments.tf32 is not None and hasattr(products := torch.backends.cuda.matmul, "fp32_precision"):
        products.fp32_precision = "tf32" if arguments.tf32 else "ieee"


def one_gpu(arguments: Any) -> None:
    """One process takes one GPU: transformers would split each batch over all of them with DataParallel."""
    if arguments.n_gpu > 1:
        say(f"uses 1 of {arguments.n_gpu} GPUs; --processes {arguments.n_gpu} uses them all")
        arguments._n_gpu = 1


def use_cores(asked: int | None) -> None:
    """CPU threads of this process: as asked, else its share of the cores.

    `accelerate launch` sets OMP_NUM_THREADS=1 where nobody did, and one core then does all the work.
    """
    import torch

    if asked:
        os.environ["RAYON_NUM_THREADS"] = str(asked)  # the threads of `tokenizers`, which take all cores by themselves
    launched = BY_ACCELERATE and os.environ.get("OMP_NUM_THREADS") == "1"
    if asked or launched or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(asked or max(1, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def launcher_is_gone() -> bool:
    """Whether a launched process has been left alone."""
    if LAUNCHED and os.getppid() != PARENT:
        return True
    if not LAUNCHER:
        return False
    import psutil  # type: ignore[import-untyped]

    return not psutil.pid_exists(LAUNCHER)


def agreed(value: Any) -> Any:
    """Rank 0's value, on every rank."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return value
    from accelerate.utils import broadcast_object_list

    answer = [value]
    broadcast_object_list(answer)
    return answer[0]


def everyones(mine: Any) -> list[Any]:
    """What every rank has to say, on every rank."""
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return [mine]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, mine)
    return found


def first_only(act: Callable[[], None]) -> None:
    """Does something on rank 0; what goes wrong there stops every rank, and rank 0 says it."""
    problem: Exception | None = None
    if is_first():
        try:
            act()
        except Exception as error:  # the others wait for this rank: they must be told before it is raised
            problem = error
    told = problem if problem is None or isinstance(problem, RecipeError) else RecipeError(f"rank 0: {problem!r}")
    found = agreed(told)
    if problem is not None:
        raise problem
    if found is not None:
        raise found


def verify(trainer: Any) -> None:
    """Compares engine and world size with what the launcher's environment asked for, once the trainer is prepared."""
    wrapped = type(trainer.model_wrapped).__name__
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true" and wrapped != "DeepSpeedEngine":
        raise RecipeError(f"DeepSpeed was asked for, but the model runs as {wrapped}")
    if os.environ.get("ACCELERATE_USE_FSDP") == "true" and "FSDP" not in wrapped and "FullyShard" not in wrapped:
        raise RecipeError(f"FSDP was asked for, but the model runs as {wrapped}: accelerate has no FSDP on this device")
    mixed = trainer.accelerator.mixed_precision
    if mixed != ("bf16" if trainer.args.bf16 else "fp16" if trainer.args.fp16 else "no"):
        raise RecipeError(f"the recipe's precision is not what runs: accelerate computes in {mixed}")
    if (world := int(os.environ.get("WORLD_SIZE", "1"))) != trainer.args.world_size:
        raise RecipeError(f"{world} processes were launched, but the trainer counts {trainer.args.world_size}")


def free_port() -> str:
    """A port of this machine that nobody listens on."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
