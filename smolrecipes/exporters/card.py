"""The model card: what was trained, on what, how well, and how each deliverable compares with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.files import write_text
from smolrecipes.hub import looks_local
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smolrecipes.run import Run


def write_card(run: Run) -> None:
    """Puts the card into the run's folder, with the certificates of all its exports."""
    write_text(run.folder / "README.md", card(run, certificates(run)))


def certificates(run: Run, without: str = "") -> list[dict[str, Any]]:
    """The figures of every deliverable of the run, but of the one with this name."""
    files = sorted((run.folder / "exports").glob("*.parity.json"))
    kept = [file for file in files if file.name != f"{without}.parity.json"]
    return [one for file in kept for one in json.loads(file.read_text(encoding="utf-8"))]


def card(run: Run, found: Iterable[dict[str, Any]]) -> str:
    """Markdown with the hub's metadata above it."""
    results, lineage = run.results, json.loads(run.lineage.read_text(encoding="utf-8"))
    parts = [
        _metadata(run),
        f"# {run.recipe.title or run.folder.name}",
        f"Trained with smolrecipes {lineage['packages']['smolrecipes']}: {results['trained_parameters']:,} of "
        f"{results['parameters']:,} weights in {results['steps']:,} steps on {results['tokens']:,} tokens.",
        f"## Recipe\n\n```python\n{hidden(repr(run.recipe))}\n```",
        _numbers(results),
        *_evaluations(results),
        *_samples(results),
        *_parity(list(found)),
        f"## Versions\n\n{', '.join(f'{name} {version}' for name, version in lineage['packages'].items())}; "
        f"Python {lineage['python']}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(run: Run) -> str:
    from transformers import AutoConfig

    from smolrecipes.architectures.heads import HEADS, head_of
    from smolrecipes.architectures.pretrained import Pretrained

    task, begun = HEADS[head_of(AutoConfig.from_pretrained(run.model))].task, run.recipe.model
    lines = ["library_name: transformers", "tags:", "- smolrecipes", f"- {run.recipe.objective.name}"]
    lines += [f"pipeline_tag: {task}"] if task else []
    on_hub = isinstance(begun, Pretrained) and not looks_local(begun.path) and not Path(begun.path).is_dir()
    lines += [f"base_model: {begun.path}"] if isinstance(begun, Pretrained) and on_hub else []
    return "\n".join(["---", *lines, "---"])


def _numbers(results: dict[str, Any]) -> str:
    before, after = results.get("before", {}), results.get("after", {})
    if not after:
        return ""
    rows = [
        f"| {name} | {f'{before[name]:.4g}' if name in before else ''} | {value:.4g} |" for name, value in after.items()
    ]
    return "\n".join(["## On held-out rows\n", "| | before | after |", "| --- | --- | --- |", *rows])


def _evaluations(results: dict[str, Any]) -> list[str]:
    found = results.get("evaluations", {})
    rows = [f"| `{of}` | {name} | {value:.4g} |" for of, numbers in found.items() for name, value in numbers.items()]
    return ["\n".join(["## Evaluated\n", "| by | number | value |", "| --- | --- | --- |", *rows])] if rows else []


def _samples(results: dict[str, Any]) -> list[str]:
    told = [f"> {asked}\n>\n> **{said}**" for asked, said, *_ in results.get("samples", [])]
    return ["## Samples\n\n" + "\n\n".join(told)] if told else []


def _tokens(one: dict[str, Any]) -> str:
    tied = one.get("tied_tokens", 0)
    return f"{one['same_tokens']} of {one['tokens']}" + (f", {tied} nearly as likely" if tied else "")


def _parity(found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return []
    rows = [
        f"| {one['deliverable']} | {one['same_ids']} of {one['texts']} | {one['same_renderings']} of {one['conversations']} | "
        f"{one['mean_gap']:.2g} ({one['allowed']:g} allowed) | {one['largest_gap']:.2g} | {_tokens(one)} |"
        for one in {one["deliverable"]: one for one in found}.values()  # the merged model stands beside several
    ]
    head = "| deliverable | same token ids | same renderings | mean gap, nats | largest | same tokens |"
    return ["\n".join(["## Compared with the model that was trained\n", head, "| --- " * 6 + "|", *rows])]
