"""What a run says, once: from the first process, through rich."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


@lru_cache(maxsize=1)
def console() -> Console:
    """The console that everything is printed on."""
    from rich.console import Console

    return Console(highlight=False)


def is_first() -> bool:
    """Whether this process is the one that speaks and writes: rank 0, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def say(*what: Any) -> None:
    """Prints text (rich markup is not read in it) or a rich renderable, from the first process only."""
    if is_first():
        for item in what:
            console().print(item, markup=False, soft_wrap=isinstance(item, str))
