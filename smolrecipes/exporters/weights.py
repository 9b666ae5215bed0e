"""Weights as transformers loads them: the merged model, or the adapter alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.exporters.certified import Certified

if TYPE_CHECKING:
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run


class SafeTensors(Certified):
    """A folder with the merged model, its tokenizer and its template, for `from_pretrained`."""

    dtype: Literal["float32", "bfloat16", "float16"] = option(default="float32", kw_only=False, affects_weights=False)
    """What the weights are held in."""
    shard: str = option(default="5GB", affects_weights=False)
    """How large a file of weights may be at the most, as in 500MB."""

    def file(self, run: Run) -> str:
        return f"{run.folder.name}-{self.dtype}"

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from smolrecipes.ask.load import load
        from smolrecipes.exporters.parity import prompts, with_transformers
        from smolrecipes.exporters.trained import as_trained

        model, tokenizer = as_trained(run)
        save(run, target, self.dtype, self.shard)
        asked, name = prompts(run, model, tokenizer), f"safetensors {self.dtype}"
        return [with_transformers(model, tokenizer, *load(target), asked, name, self.dtype)]


class AdapterWeights(Certified, name="adapter"):
    """The adapter alone, to be loaded beside its base by peft."""

    def file(self, run: Run) -> str:
        return f"{run.folder.name}-adapter"

    def check(self, run: Run) -> None:
        if not run.adapter.is_dir():
            raise RecipeError(
                f"adapter: {run.folder} has none; its recipe trained all the weights (export safetensors)"
            )

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from smolrecipes.ask.adapted import base_with
        from smolrecipes.ask.load import load
        from smolrecipes.exporters.parity import prompts, with_transformers

        model, tokenizer = load(run.model)
        shutil.copytree(run.adapter, target)
        tokenizer.save_pretrained(target)
        base = base_with(run.recipe, run.folder, tokenizer)
        if base is None:
            raise RecipeError(f"adapter: the weights that {run.folder} began with are kept nowhere, so it fits none")
        asked, beside = prompts(run, model, tokenizer), _beside(base.to(model.device), tokenizer, target, run)
        return [with_transformers(model, tokenizer, beside, tokenizer, asked, "adapter beside its base", "float32")]


def _beside(base: Any, tokenizer: Any, folder: Path, run: Run) -> Any:
    """The base with the adapter, as a user loads them; a QLoRA's base is held in 4 bits, as in its training."""
    from peft import PeftModel

    from smolrecipes.ask.adapted import beside

    if hasattr(run.recipe.adapter, "quantization"):
        return beside(run.recipe, base, tokenizer, folder).to(base.device).eval()
    return PeftModel.from_pretrained(base, str(folder)).eval()


def save(run: Run, target: Path, dtype: str, shard: str) -> None:
    """Writes the merged model in a precision, and what lies in folders inside it (ELECTRA's generator) likewise."""
    import torch
    from transformers import AutoTokenizer

    from smolrecipes.ask.load import load

    for where in (run.model, *(path.parent for path in run.model.glob("*/config.json"))):
        model, _ = load(where)
        into = target / where.relative_to(run.model)
        try:
            model.to(getattr(torch, dtype)).save_pretrained(into, max_shard_size=shard)
        except ValueError as error:
            raise RecipeError(f"safetensors.shard={shard}: {error}") from None
        AutoTokenizer.from_pretrained(where).save_pretrained(into)
