"""One stage of a run: evaluated, trained, evaluated, saved."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from smolrecipes.console import is_first, say
from smolrecipes.errors import RecipeError, Stopped, TrainingStopped
from smolrecipes.files import manifest, refused
from smolrecipes.launch import agreed, first_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolrecipes.assemble import Assembly
    from smolrecipes.run import Run


def train(this: Run, assembly: Assembly) -> None:
    """Evaluate, train, evaluate, save; the results come last and mark the run as finished."""
    from smolrecipes.callbacks.throughput import told, whole
    from smolrecipes.checkpoints import secure
    from smolrecipes.lineage import check_tokenizer
    from smolrecipes.memory import look_for_idle

    trainer, started = assembly.trainer, time.monotonic()
    secure(trainer)
    last = _last(trainer)
    first_only(lambda: check_tokenizer(this.lineage, assembly.parts.tokenizer, resumes=bool(last)))
    first_only(lambda: _leave_data(this, assembly, bool(last)))
    held_out = trainer.eval_dataset is not None
    trainer.args.eval_on_start = held_out and not last
    if this.recipe.training.rehearse:
        _rehearse(trainer)
    elif trainer.args.world_size > 1:
        look_for_idle(trainer, True)  # nobody knows whether a weight never gets a gradient
    _train(this, trainer, last)
    speed = whole(trainer.state.log_history)
    if "tokens_per_second" in speed:
        say(f"  {told(speed)}")
    before: dict[str, float] = next((entry for entry in trainer.state.log_history if "eval_loss" in entry), {})
    after = trainer.evaluate() if held_out else {}
    if hasattr(trainer.optimizer, "eval"):
        trainer.optimizer.eval()  # of a schedule-free one, the averages are the model
    seconds = round(time.monotonic() - started, 1)
    _save(this, assembly, {"before": _plain(before), "after": _plain(after), "seconds": seconds, "speed": speed})


def _leave_data(this: Run, assembly: Assembly, resumes: bool) -> None:
    """What became of the rows in each step of their preparation, where there were any."""
    from smolrecipes.cards.trail import leave, made
    from smolrecipes.lineage import check_data

    check_data(this.lineage, made(this.recipe), resumes)
    parts = assembly.parts
    rows = {"train": parts.train_rows, "validation": parts.validation_rows}
    splits = {name: some for name, some in rows.items() if some is not None}
    if why := refused(lambda: leave(this.folder, this.recipe, splits, assembly.sentences)):
        say(f"  what became of the rows is not kept ({why})")


def _last(trainer: Any) -> str | None:
    """The checkpoint to go on from; says which were passed over, and why."""
    from smolrecipes.checkpoints import newest, processes

    last, passed = agreed(newest(Path(str(trainer.args.output_dir))) if is_first() else None)
    for each in passed:
        say(f"  passes over {each}")
    if passed and not last:
        say("  no checkpoint is whole: it starts again from the first step")
    if last:
        then, now = agreed(processes(last) if is_first() else 0), trainer.args.world_size
        more = f"; it was saved by {then} processes and goes on with {now}, so dropout draws other numbers"
        say(f"  resumes from {last}{more if then != now else ''}")
    return str(last) if last else None


def _train(this: Run, trainer: Any, last: str | None) -> None:
    """Trains; a signal ends it after a step, with a checkpoint."""
    from smolrecipes.interrupt import Interrupt, noted

    interrupt = Interrupt()
    trainer.add_callback(interrupt)
    with noted(interrupt):
        try:
            trainer.train(resume_from_checkpoint=last)
        except UnpicklingError:
            what = "holds Python objects that no run writes, which smolrecipes never runs"
            raise RecipeError(f"{last} {what}; remove it, and the run goes on from the one before") from None
    steps, of = trainer.state.global_step, trainer.state.max_steps
    if interrupt.reason and steps < of:
        raise Stopped(f"{this.folder}: stopped ({interrupt.reason}) after step {steps:,} of {of:,}, and saved")


def _rehearse(trainer: Any) -> None:
    """Says what the longest batch takes of memory."""
    from smolrecipes.memory import rehearse
    from smolrecipes.trainer import RecipeTrainer

    if trainer.is_deepspeed_enabled or not isinstance(trainer, RecipeTrainer):
        whose = "DeepSpeed holds it" if trainer.is_deepspeed_enabled else f"{type(trainer).__name__} is not ours"
        say(f"  memory is not rehearsed: {whose}")
        return
    before, gauge = trainer.args.per_device_train_batch_size, rehearse(trainer)
    rows = trainer.args.per_device_train_batch_size
    less = f"; micro-batches of {rows} rows, since {before} do not fit" if rows < before else ""
    say(f"  memory of the longest batch, {gauge.told()}{less}")


def _plain(entry: dict[str, float]) -> dict[str, float]:
    """The held-out numbers of a log entry, without what is only about its making."""
    skip = ("runtime", "per_second", "epoch", "step", "preparation_time", "num_tokens")
    return {name.removeprefix("eval_"): value for name, value in entry.items() if not name.endswith(skip)}


def _save(this: Run, assembly: Assembly, numbers: dict[str, Any]) -> None:
    """Adapter, merged model and tokenizer, then the results; everyone waits until they lie there."""
    from smolrecipes.arguments import rows_seen
    from smolrecipes.summary import samples
    from smolrecipes.weights import count_weights

    trainer, parts = assembly.trainer, assembly.parts
    model = trainer.accelerator.unwrap_model(trainer.model)
    trained, total = count_weights(model)
    facts = {
        "steps": trainer.state.global_step,
        "rows": min(len(parts.train), rows_seen(parts, trainer.state.global_step)),
        "of": len(parts.train),
        "tokens": trainer.state.num_input_tokens_seen,
        "trained_parameters": trained,
        "parameters": total,
        "sentences": assembly.sentences,
    }

    def save() -> None:
        plain, adapter_bytes = _export(this, model, parts.tokenizer)
        more = {"adapter_bytes": adapter_bytes, "samples": samples(plain, parts, this.recipe.decoding)}
        files = manifest(this.folder, "model", "adapter", "recipe.json")
        _or_stop(this, lambda: this.finish({**numbers, **facts, **more, "files": files}))

    first_only(save)


def _export(this: Run, model: Any, tokenizer: Any) -> tuple[Any, int]:
    """Writes the adapter and the merged model, or the model; gives the plain model and the adapter's bytes."""
    from smolrecipes.adapters.merge import merged

    adapted = hasattr(model, "merge_and_unload")
    if adapted:
        _or_stop(this, lambda: model.save_pretrained(this.adapter))
        model = merged(model)
    partial = this.model.with_name("model.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _or_stop(this, lambda: write_model(model, tokenizer, this.recipe.objective.owns, partial))
    shutil.rmtree(this.model, ignore_errors=True)
    partial.rename(this.model)
    return model, sum(f.stat().st_size for f in this.adapter.glob("*.safetensors")) if adapted else 0


def _or_stop(this: Run, write: Callable[[], object]) -> None:
    """Writes something; TrainingStopped where the disk refuses."""
    if why := refused(write):
        raise TrainingStopped(
            f"{this.folder}: what was trained could not be written ({' '.join(why.split())[:200]}). "
            "Make room, or mend what it says, and give the same command again: it goes on from the last checkpoint"
        )


def write_model(model: Any, tokenizer: Any, owns: tuple[str, ...], folder: Path) -> None:
    """The model in a folder, and in folders inside it what its objective gave it; each by itself, with the tokenizer."""
    owned = {name: model._modules.pop(name) for name in owns}
    for name, part in {"": model, **owned}.items():
        part.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    model._modules.update(owned)
