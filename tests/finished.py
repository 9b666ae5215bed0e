"""Runs that are finished in a second, with random weights, for tests of what is made of a run; and a command asked about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import SFT, Recipe, Run, Tokenizer, Toy
from smolrecipes.__main__ import main
from smolrecipes.build import stop_at_turn_end
from smolrecipes.serialize import dumps

SIZES: dict[str, Any] = {"layers": 2, "hidden": 64, "heads": 4, "max_length": 256}


def made_in(folder: Path, model: Any, tokenizer: Tokenizer, objective: Any = None, head: str = "causal") -> Run:
    """A run directory with a model of random weights."""
    import torch

    torch.manual_seed(0)
    words = tokenizer.build(Toy("chat", rows=300).load())
    built = model.build(words, head, 2)
    stop_at_turn_end(built, words)
    recipe = Recipe(model=model, data=Toy("chat"), objective=objective or SFT(), tokenizer=tokenizer, title="tiny")
    run = Run(folder / "tiny-00000000", recipe)
    built.save_pretrained(run.model)
    words.save_pretrained(run.model)
    (run.folder / "recipe.json").write_text(dumps(recipe), encoding="utf-8")
    known = {"fingerprint": recipe.fingerprint(), "packages": {"smolrecipes": "0.1.0"}, "python": "3.11"}
    run.lineage.write_text(json.dumps(known), encoding="utf-8")
    told = {"samples": [["How many?", "Two."]], "trained_parameters": 9, "parameters": 9, "steps": 3, "tokens": 99}
    run.finish({"before": {"loss": 3.0}, "after": {"loss": 2.0, "accuracy": 0.5}, **told})
    return run


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command line, in this process."""
    monkeypatch.setattr("sys.argv", ["smolrecipes", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
