"""One launch at a time on a run: who holds it, and what to do meanwhile."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.console import is_first
from smolrecipes.errors import RecipeError
from smolrecipes.launch import first_only

if TYPE_CHECKING:
    from filelock import BaseFileLock


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds a run's folder for this launch, or RecipeError saying who does; the system lets go for a process that dies."""
    from filelock import FileLock

    file = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(file)
    first_only(lambda: _take(lock, file, folder))
    try:
        yield
    finally:
        if is_first():
            _holder(file).unlink(missing_ok=True)
            with suppress(PermissionError):  # Windows removes no open file; there, releasing the lock removes it
                file.unlink(missing_ok=True)
            lock.release()
            with suppress(OSError):  # it is not empty, as a rule
                folder.parent.rmdir()


def _take(lock: BaseFileLock, file: Path, folder: Path) -> None:
    from filelock import Timeout

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        me = f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"
        _holder(file).write_text(me, encoding="utf-8")
    except Timeout:
        raise RecipeError(_held(folder, _holder(file))) from None
    except OSError as error:
        raise RecipeError(f"{folder}: cannot write there ({error.strerror}); name another folder with --runs") from None


def _holder(file: Path) -> Path:
    """Who holds the lock: a file of its own, since Windows lets nobody else read a locked one."""
    return file.with_suffix(".holder")


def _held(folder: Path, holder: Path) -> str:
    who = holder.read_text(encoding="utf-8") if holder.is_file() else "another process"
    return (
        f"{folder}: {who}, is training it; wait until it ends, or end it and give this command again to go on from its "
        "newest checkpoint; --runs names another folder"
    )
