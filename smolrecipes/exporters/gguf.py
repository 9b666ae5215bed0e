"""GGUF, the file that llama.cpp, Ollama, LM Studio and their like run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.exporters.certified import Certified

if TYPE_CHECKING:
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run


class GGUF(Certified):
    """One file with weights, tokenizer and chat template, made by llama.cpp's converter and run by llama.cpp to compare it."""

    label: ClassVar[str] = "GGUF"
    """What its certificate is called."""

    form: Literal["f32", "f16", "bf16", "q8_0", "q6_k", "q5_1", "q5_k_m", "q4_0", "q4_k_m"] = option(
        default="q8_0", kw_only=False, affects_weights=False
    )
    """What the weights are held in: 32, 16, 8, 6, 5 or 4 bits."""

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        return super().parse(name, value.lower() if name == "form" and isinstance(value, str) else value)

    def file(self, run: Run) -> str:
        return f"{run.folder.name}-{self.form}.gguf"

    def check(self, run: Run) -> None:
        """That llama.cpp is there and that the model continues texts."""
        from transformers import AutoConfig

        from smolrecipes.architectures.heads import head_of
        from smolrecipes.exporters.convert import source
        from smolrecipes.llama_cpp import INSTALL, check_installed

        check_installed()
        if source() is None:
            raise RecipeError(INSTALL)
        config = AutoConfig.from_pretrained(run.model)
        if head_of(config) != "causal":
            name = config.architectures[0]
            raise RecipeError(
                f"gguf: llama.cpp runs models that continue a text, which {name} does not; export safetensors"
            )

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from smolrecipes.exporters.parity import LONGEST, prompts, with_llama_cpp
        from smolrecipes.exporters.trained import as_trained
        from smolrecipes.llama_cpp import running

        model, tokenizer = as_trained(run)
        _convert(run, target, self.form, tokenizer)
        asked, name = prompts(run, model, tokenizer), f"{self.label} {self.form}"
        with running(target, LONGEST) as found:
            certificate = with_llama_cpp(model, tokenizer, found, asked, name, self.form)
        return [*merged(run, model, tokenizer), certificate]


def merged(run: Run, model: Any, tokenizer: Any) -> list[Certificate]:
    """How the merged model compares with the adapter beside its base; nothing where there is no adapter."""
    from smolrecipes.ask.load import load
    from smolrecipes.exporters.parity import prompts, with_transformers

    if not run.adapter.is_dir():
        return []
    asked = prompts(run, model, tokenizer)
    return [with_transformers(model, tokenizer, *load(run.model), asked, "merged model", "float32")]


def _convert(run: Run, target: Path, form: str, tokenizer: Any) -> None:
    from smolrecipes.conversation.tokens import turn_end
    from smolrecipes.exporters.convert import UNKNOWN
    from smolrecipes.exporters.labels import label

    job: dict[str, Any] = {"model": str(run.model), "name": run.folder.name, "out": str(target), "form": form}
    job |= {"label": label(tokenizer), "bos": tokenizer.bos_token is not None, "end": turn_end(tokenizer)}
    words = [sys.executable, "-m", "smolrecipes.exporters.convert", json.dumps(job)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode == UNKNOWN:
        raise RecipeError(f"gguf: llama.cpp's converter does not know {done.stdout.strip().splitlines()[-1]}")
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RecipeError(f"gguf: llama.cpp's converter failed ({told[-1]})")
