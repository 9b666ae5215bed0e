"""The one exception family: every message says where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable


class RecipeError(Exception):
    """A mistake in what was asked for; the command line prints the sentence and exits with `code`."""

    code = 2


class TrainingStopped(RecipeError):
    """Something that only training could show: a non-finite loss, a parameter that does not move."""

    code = 1


class Stopped(RecipeError):
    """Training that was asked to stop and did, with a checkpoint to go on from; no mistake, so the exit code is 0."""

    code = 0


def needs(package: str, who: str, install: str = "'smolrecipes[data]'") -> None:
    """RecipeError where a package of the extra `data`, or another, is not installed."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise RecipeError(f"{who} needs {package}, which is not installed: pip install {install}")


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'beta'?` for the known name nearest to `word`, in whichever case, or nothing when none is near."""
    import difflib

    names = {name.casefold(): name for name in known} | {name: name for name in known}
    found = [word.casefold()] if word.casefold() in names else difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean '{names[found[0]]}'?" if found else ""
