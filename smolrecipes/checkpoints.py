"""Checkpoints that count only when they are whole: written aside, flushed, hashed, renamed; read back only when they verify."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smolrecipes.errors import TrainingStopped
from smolrecipes.files import differs, digest, flush, refused
from smolrecipes.launch import everyones, first_only

MANIFEST = "manifest.json"
"""Of every other file in the checkpoint, how many bytes it has and their SHA-256; and how many processes saved it."""
PARTIAL = ".partial"
"""Where a checkpoint is written until it is whole."""
_NAME = re.compile(r"checkpoint-(\d+)")


def secure(trainer: Any) -> None:
    """Makes any Trainer write its checkpoints whole or not at all, and go on from the last step's without another step.

    Retention is `save_total_limit` and never deletes the last checkpoint that verifies: the older ones go when the new
    one lies there.
    """
    original = trainer._save_checkpoint
    trainer._save_checkpoint = lambda model, trial: _save(trainer, lambda: original(model, trial))
    epoch = trainer._run_epoch
    trainer._run_epoch = lambda **options: None if _done(trainer.state) else epoch(**options)


def _done(state: Any) -> bool:
    """Whether all steps are taken: transformers takes one more when it goes on from the checkpoint of the last."""
    return bool(state.global_step >= state.max_steps)


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint in the folder that verifies, and of each newer one what is wrong with it."""
    passed: list[str] = []
    for checkpoint in sorted(_all(folder), key=step, reverse=True):
        wrong = damage(checkpoint)
        if not wrong:
            return checkpoint, passed
        passed.append(f"{checkpoint}: {wrong}")
    return None, passed


def damage(checkpoint: Path) -> str:
    """What is wrong with a checkpoint, or nothing: each file is compared with what was written."""
    try:
        known = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        return differs(checkpoint, known)
    except FileNotFoundError:
        return f"it has no {MANIFEST}, so nobody knows whether it is whole"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read ({type(error).__name__})"


def step(checkpoint: Path) -> int:
    """The optimizer steps after which it was saved."""
    found = _NAME.fullmatch(checkpoint.name)
    assert found, checkpoint
    return int(found[1])


def processes(checkpoint: Path) -> int:
    """How many processes saved it."""
    return int(json.loads((checkpoint / MANIFEST).read_bytes())["processes"])


def _all(folder: Path) -> list[Path]:
    return (
        [path for path in folder.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)] if folder.is_dir() else []
    )


def _save(trainer: Any, write: Callable[[], None]) -> None:
    """Writes aside on every rank, then makes it count on the first."""
    folder, here = Path(trainer.args.output_dir), trainer.state.global_step
    first_only(lambda: _make_room(trainer, folder))
    with _writing_to(trainer, folder / PARTIAL):
        problem = refused(write)
    for each in everyones(problem):
        if each:
            raise TrainingStopped(_not_written(folder, here, each))
    try:
        first_only(lambda: _publish(folder, f"checkpoint-{here}", trainer.args))
    finally:
        trainer.accelerator.wait_for_everyone()


@contextmanager
def _writing_to(trainer: Any, folder: Path) -> Iterator[None]:
    """The trainer writes, and counts its checkpoints, elsewhere meanwhile."""
    trainer._get_output_dir = lambda trial=None: str(folder)
    try:
        yield
    finally:
        del trainer._get_output_dir


def _make_room(trainer: Any, folder: Path) -> None:
    """An empty folder to write to, on a disk with room for what will come."""
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    if why := refused(lambda: (folder / PARTIAL).mkdir(parents=True)):
        raise TrainingStopped(_not_written(folder, trainer.state.global_step, why))
    free, wanted = shutil.disk_usage(folder).free, needed(trainer)
    if free < wanted:
        why = f"a checkpoint takes {_mb(wanted)}, and {_mb(free)} are free"
        raise TrainingStopped(_not_written(folder, trainer.state.global_step, why))


def needed(trainer: Any) -> int:
    """Bytes of a checkpoint, about: weights that are saved, and what the optimizer holds of those that learn."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    sizes = [(weight.numel() * weight.element_size(), weight.requires_grad) for weight in model.parameters()]
    learning: int = sum(size for size, learns in sizes if learns)
    return 3 * learning if hasattr(model, "peft_config") else 2 * learning + sum(size for size, _ in sizes)


def _publish(folder: Path, name: str, args: Any) -> None:
    """Flushes, hashes, renames; then the oldest go."""
    try:
        made, target = folder / PARTIAL / name, folder / name
        files = sorted(path for path in made.rglob("*") if path.is_file())
        known = {path.relative_to(made).as_posix(): [path.stat().st_size, digest(path)] for path in files}
        (made / MANIFEST).write_text(
            json.dumps({"processes": args.world_size, "files": known}, indent=1), encoding="utf-8"
        )
        for path in (*files, made / MANIFEST, *{path.parent for path in files}, made):
            flush(path)
        shutil.rmtree(target, ignore_errors=True)  # one that was passed over, since it was damaged
        made.rename(target)
        flush(folder)
        (folder / PARTIAL).rmdir()
    except OSError as error:
        raise TrainingStopped(_not_written(folder, int(name.rpartition("-")[2]), str(error))) from None
    _retain(folder, target, args.save_total_limit)


def _retain(folder: Path, made: Path, keep: int | None) -> None:
    """The newest stay. Those of later steps than the one just written were passed over as damaged and go; one without a
    manifest was written by somebody else, and stays."""
    others = sorted((path for path in _all(folder) if path != made), key=step, reverse=True)
    before = [path for path in others if step(path) < step(made)]
    later = [path for path in others if step(path) > step(made) and (path / MANIFEST).exists()]
    gone = later + (before[max(0, keep - 1) :] if keep else [])
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)


def _not_written(folder: Path, here: int, why: str) -> str:
    last, _ = newest(folder)
    kept = f"{last} is whole" if last else "there is none before it"
    return (
        f"{folder / f'checkpoint-{here}'} could not be written ({' '.join(why.split())[:200]}); {kept}. Make room, or "
        "name another folder with --runs, and give the same command again to go on"
    )


def _mb(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"
