"""A small copy of a recipe: some of its rows, its tokenizer, a few narrow layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.check.subject import untrained
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture, Data
from smolrecipes.recipe import Recipe

if TYPE_CHECKING:
    from datasets import Dataset

ROWS = 48
BATCH = 8
STEPS = 3
LAYERS = 2
WIDTH = 8
"""Of a head."""
DEPTHS = (
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "num_decoder_layers",
    "encoder_layers",
    "decoder_layers",
)
"""What the configs of model types call their number of layers."""


class Stored(Data):
    """Rows that were read before."""

    folder: str

    def load(self) -> Dataset:
        from datasets import load_from_disk

        found: Dataset = load_from_disk(self.folder)
        return found


def shrink(recipe: Recipe, folder: Path) -> Recipe:
    """The small copy; reads the rows and builds tokenizer and weights, so it is made in a process of its own."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.assemble import load_rows
    from smolrecipes.build import build_tokenizer
    from smolrecipes.launch import join
    from smolrecipes.tokenizers.pretrained import PretrainedTokenizer

    join("cpu")
    recipe = untrained(recipe)
    rows, _, _ = load_rows(recipe.replace(validation=0, holdout="random"))
    step = max(1, len(rows) // ROWS)
    rows.select(range(0, len(rows), step)[:ROWS]).save_to_disk(str(folder / "rows"))
    build_tokenizer(recipe, rows).save_pretrained(folder / "tokenizer")
    assert isinstance(recipe.model, Architecture)
    objective, teacher = recipe.objective, getattr(recipe.objective, "teacher", None)
    narrow = not isinstance(teacher, Pretrained)  # a student may have to be as wide as its teacher
    if teacher is not None:
        objective = objective.replace(**{"teacher": _small(teacher, objective.head, folder / "teacher", narrow)})
    return recipe.replace(
        model=_small(recipe.model, objective.head, folder, narrow),
        objective=objective,
        tokenizer=PretrainedTokenizer(path=str(folder / "tokenizer")),
        data=Stored(folder=str(folder / "rows")),
        validation=0,
        holdout="random",
        callbacks=(),
        evaluators=(),
        exporters=(),
        training=short(recipe.training),
    )


def short(training: Any) -> Any:
    """Three steps of a batch of eight, on a CPU in float32."""
    return training.replace(
        epochs=None, tokens=None, steps=STEPS, global_batch_tokens=None, global_batch_size=BATCH, micro_batch_size=BATCH,
        precision="float32", device="cpu", threads=1, compile=False, rehearse=False, log_every=1, evaluate_every=None,
        save_every=100, gradient_checkpointing=False,
        optimizer="adamw" if training.optimizer == "adamw_8bit" else training.optimizer,
    )  # fmt: skip


def _small(model: Architecture, head: str, folder: Path, narrow: bool) -> Architecture:
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.architectures.scratch import Scratch

    if isinstance(model, Pretrained):
        return _shallow(model, head, folder)
    if not isinstance(model, Scratch):
        return model
    sizes: dict[str, Any] = {"layers": max(LAYERS, model.step), "hidden": model.heads * WIDTH, "ffn": None}
    sizes |= {"decoder_layers": LAYERS, "head_size": None}
    wanted = sizes if narrow else ("layers", "decoder_layers")
    sizes = {name: size for name, size in sizes.items() if name in model.options() and name in wanted}
    try:
        return model.replace(**sizes)
    except RecipeError:  # a family with sizes of its own kind: at least it has few layers
        return model.replace(layers=sizes["layers"])


def _shallow(model: Any, head: str, folder: Path) -> Architecture:
    """The first layers of pretrained weights."""
    from transformers import AutoConfig

    from smolrecipes.architectures.heads import auto_class

    config = AutoConfig.from_pretrained(model.path, revision=model.revision, trust_remote_code=False)
    for name in DEPTHS:
        if isinstance(getattr(config, name, None), int):
            setattr(config, name, min(LAYERS, getattr(config, name)))
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:LAYERS]
    made = auto_class(head).from_pretrained(
        model.path, revision=model.revision, config=config, trust_remote_code=False, ignore_mismatched_sizes=True
    )
    made.save_pretrained(folder / "weights")
    shallow: Architecture = model.replace(path=str(folder / "weights"), revision=None)
    return shallow


@dataclass(frozen=True)
class Way:
    """How the small copy is trained."""

    changes: dict[str, Any]
    """Options of `training`."""
    still: bool = True
    """Without dropout and with plain gradient descent: what is then compared are gradients."""
    world: int = 1
    until: int = 0
    """The step after which it is interrupted."""


def settle(recipe: Recipe, way: Way) -> Recipe:
    """The recipe as it is trained in this way."""
    training = recipe.training.replace(**way.changes)
    if way.still:  # Adam turns a gradient that is nearly 0, and so nothing but rounding, into a whole step
        training = training.replace(optimizer="adamw", hf={**training.hf, "optim": "sgd"}, learning_rate=1e-2)
    return recipe.replace(training=training)
