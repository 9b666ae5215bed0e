"""The proofs, on the user's own rows and a small copy of the model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from smolrecipes.errors import RecipeError
from smolrecipes.launch import hush
from smolrecipes.prove.child import POSSIBLE, forked
from smolrecipes.prove.proof import Proof, alike, near, same
from smolrecipes.prove.shrink import BATCH, STEPS, Way, shrink
from smolrecipes.recipe import Recipe

PASSES = f"a batch of {BATCH} = {BATCH} passes of 1"
PADDED = "packed = padded"
PROCESSES = "1 process = 2"
SEED = "the same seed = the same run"
RESUMED = "interrupted and resumed = uninterrupted"
LOADED = "saved and loaded = in memory"
MERGED = "merged = adapter beside the model"


def proofs(what: Any) -> Iterator[Proof]:
    """Each when it is shown; see `prove`."""
    if not POSSIBLE:
        raise RecipeError("prove trains in forked processes, which only Linux has")
    if not isinstance(what, Recipe) and what.args.device.type != "cpu":
        raise RecipeError(
            "prove trains in forked processes, which cannot use a GPU; give it a trainer with use_cpu=True"
        )
    hush()
    with tempfile.TemporaryDirectory() as folder:
        yield from _recipe(what, Path(folder)) if isinstance(what, Recipe) else _trainer(what, Path(folder))


def _recipe(recipe: Recipe, folder: Path) -> Iterator[Proof]:
    from smolrecipes.build import check_fit
    from smolrecipes.override import resolve

    recipe = resolve(recipe)
    check_fit(recipe)
    small: Recipe = forked(lambda: shrink(recipe, folder), folder / "shrink")
    from smolrecipes.prove.train import train

    def trained(name: str, way: Way) -> Any:
        return forked(lambda: train(small, way, folder / name), folder / name, way.world)

    still = trained("still", Way({}))
    yield near(PASSES, still, trained("passes", Way({"micro_batch_size": 1})))
    if recipe.training.packing and recipe.objective.packs:
        yield near(PADDED, still, trained("padded", Way({"packing": False})))
    yield near(PROCESSES, still, trained("two", Way({"micro_batch_size": BATCH // 2}, world=2)))
    yield from _repeated(trained)
    yield from _after(still.after)


def _repeated(trained: Callable[[str, Way], Any]) -> Iterator[Proof]:
    """With dropout and the recipe's own optimizer: twice the same, and once interrupted."""
    whole = trained("whole", Way({}, still=False))
    yield same(SEED, whole, trained("again", Way({}, still=False)))
    first = trained("broken", Way({}, still=False, until=STEPS - 1))
    rest = trained("broken", Way({}, still=False))
    rest.losses = first.losses + rest.losses
    rest.gradients = first.gradients + rest.gradients
    yield same(RESUMED, whole, rest)


def _after(found: dict[str, tuple[float, float]]) -> Iterator[Proof]:
    if "merged" in found:
        yield alike(MERGED, found["merged"], 1e-5)
    if "loaded" in found:
        yield alike(LOADED, found["loaded"], 1e-6)


def _trainer(trainer: Any, folder: Path) -> Iterator[Proof]:
    """Each process has the trainer as it is now, and changes its own copy."""
    from smolrecipes.prove.train import run

    def trained(name: str, way: Way) -> Any:
        def act() -> Any:
            _short(trainer, folder / name, way.changes.get("micro_batch_size", BATCH))
            return run(trainer, way)

        return forked(act, folder / name)

    still = trained("still", Way({}))
    yield near(PASSES, still, trained("passes", Way({"micro_batch_size": 1})))
    yield from _repeated(trained)


def _short(trainer: Any, folder: Path, micro: int) -> None:
    """Three steps of a batch of eight."""
    args = trainer.args
    args.output_dir, args.max_steps, args.logging_steps, args.save_steps = str(folder), STEPS, 1, 100
    args.save_strategy = args.logging_strategy = "steps"
    args.eval_strategy, args.eval_on_start, args.report_to = "no", False, []
    args.per_device_train_batch_size, args.gradient_accumulation_steps = micro, BATCH // micro
    trainer._train_batch_size = micro
