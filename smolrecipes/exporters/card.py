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

TASKS = {
    "ForCausalLM": "text-generation", "LMHeadModel": "text-generation", "ForMaskedLM": "fill-mask",
    "ForSequenceClassification": "text-classification", "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering", "ForConditionalGeneration": "text2text-generation",
}  # fmt: skip
"""The hub's name for what a model of this class does."""


def write_card(run: Run) -> None:
    """Puts the card into the run's folder, with the certificates of all its exports."""
    write_text(run.folder / "README.md", card(run, certificates(run)))


def certificates(run: Run) -> list[dict[str, Any]]:
    """The figures of every deliverable among the run's exports."""
    files = sorted((run.folder / "exports").glob("*.parity.json"))
    return [one for file in files for one in json.loads(file.read_text(encoding="utf-8"))]


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
    from smolrecipes.architectures.pretrained import Pretrained

    saved = json.loads((run.model / "config.json").read_text(encoding="utf-8"))
    name, begun = (saved.get("architectures") or [""])[0], run.recipe.model
    task = next((task for end, task in TASKS.items() if name.endswith(end)), "")
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


def _parity(found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return []
    rows = [
        f"| {one['deliverable']} | {one['same_ids']} of {one['texts']} | {one['same_renderings']} of {one['conversations']} | "
        f"{one['mean_gap']:.2g} ({one['allowed']:g} allowed) | {one['largest_gap']:.2g} | {one['same_tokens']} of {one['tokens']} |"
        for one in found
    ]
    head = "| deliverable | same token ids | same renderings | mean gap, nats | largest | same likeliest token |"
    return ["\n".join(["## Compared with the model that was trained\n", head, "| --- " * 6 + "|", *rows])]


def write_into(run: Run, folder: Path, found: Iterable[dict[str, Any]]) -> None:
    """Puts the card into a deliverable."""
    (folder / "README.md").write_text(card(run, found), encoding="utf-8")
