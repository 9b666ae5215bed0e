"""What a run says before it trains, and what came of it afterwards."""

from __future__ import annotations

import random
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.component import Component
from smolrecipes.console import say

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.assemble import Assembly
    from smolrecipes.decoding import Decoding
    from smolrecipes.kinds import Parts
    from smolrecipes.recipe import Recipe
    from smolrecipes.run import Run

CORRELATIONS = ("pearson", "spearman", "mcc")
"""Numbers that are no shares."""


def begin(this: Run, assembly: Assembly) -> None:
    """What this stage will see, and on what it runs."""
    from smolrecipes.arguments import rows_seen
    from smolrecipes.examples import lengths
    from smolrecipes.kernels import computed_by
    from smolrecipes.trainer import RecipeTrainer
    from smolrecipes.weights import count_weights

    args, parts = assembly.trainer.args, assembly.parts
    rows, seen = len(parts.train), rows_seen(parts, args.max_steps)
    tokens = float(sum(lengths(parts.train))) * seen / rows
    unit = "rows" if rows == assembly.train.rows - assembly.train.dropped else "blocks"
    passes = f"{seen / rows:.3g} times" if seen >= rows + parts.batch else "once" if seen >= rows else ""
    trained, total = count_weights(parts.model)
    precision = "bfloat16" if args.bf16 else "float16" if args.fp16 else "float32"
    say(f"\n{this.folder.name}")
    for sentence in assembly.sentences:
        say(*(f"  {line}" for line in sentence.splitlines()))
    say(
        f"  sees {min(seen, rows):,} of {rows:,} {unit} {passes}".rstrip() + f", about {_tokens(tokens)}, "
        f"in {args.max_steps:,} steps of {'about ' * bool(parts.batch_tokens)}{parts.batch} ({args.per_device_train_batch_size} × "
        f"{args.gradient_accumulation_steps} × {args.world_size} process{'es' * (args.world_size > 1)})"
    )
    device = f"{args.device.type} in {precision}{computed_by(assembly.trainer)}"
    padded = isinstance(assembly.trainer, RecipeTrainer) and not parts.layout.packed
    said = f"  trains {trained:,} of {total:,} parameters ({trained / total:.1%}) on {device}"
    say(said + ", rows padded to the longest of a micro-batch" * padded)


def reused(this: Run) -> None:
    """That a stage is already trained."""
    say(f"{this.folder.name}: already trained, nothing to do")


def summarise(this: Run) -> None:
    """The chain in a table, the answers, and what to run next."""
    from rich import box
    from rich.table import Table

    rows = [_cells(stage) for stage in chain(this)]
    filled = [
        name for name in dict.fromkeys(name for row in rows for name in row) if any(row.get(name) for row in rows)
    ]
    table = Table(*filled, box=box.SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(*(row.get(name, "") for name in filled))
    say("", table, "")
    for question, answer, *_ in this.results["samples"]:
        say(f"> {question}", f"  {answer}")
    say("", f"model     {this.model}")
    if this.adapter.exists():
        say(f"adapter   {this.adapter}")
    if this.recipe.objective.head == "causal":
        say(f"next      {launcher()} chat {this.folder}")
    elif this.results["samples"]:
        asked, _, *languages = this.results["samples"][0]
        say(f"next      {launcher()} try {shlex.join([str(this.folder), *asked.split(' | '), *languages])}")


def _cells(stage: Run) -> dict[str, str]:
    """A stage's row of the table, by column."""
    found = stage.results
    size = f"\nadapter {_bytes(found['adapter_bytes'])}" if found["adapter_bytes"] else ""
    share = found["trained_parameters"] / found["parameters"]
    tokens = found["tokens"]  # 0 from a trainer that does not count them
    return {
        "stage": stage.folder.name.rpartition("-")[0],
        "saw": f"{found['rows']:,} of {found['of']:,} rows" + (f"\n{_tokens(tokens)}" if tokens else ""),
        "trained": f"{share:.1%} of {found['parameters']:,}{size}",
        "held-out loss": _change(found, "loss", "{:.3f}"),
        **_metric(stage.recipe.objective.metrics, found),
    }


def _metric(names: tuple[str, ...], found: dict[str, Any]) -> dict[str, str]:
    """The first of an objective's metrics that there is, under the name that it has in our own objectives: the first."""
    name = next((name for name in names if name in found["after"]), "")
    if not name:
        return {}
    return {names[0].replace("_", " "): _change(found, name, "{:.3f}" if name in CORRELATIONS else "{:.1%}")}


def chain(this: Run) -> Iterator[Run]:
    """The runs that a run was built on, the first first, and itself."""
    from smolrecipes.run import place

    for base in bases(this.recipe):
        yield from chain(place(base, this.folder.parent))
    yield this


def bases(part: Component) -> Iterator[Recipe]:
    """The recipes of every `Trained` inside a component."""
    from smolrecipes.architectures.trained import Trained

    if isinstance(part, Trained):
        yield part.recipe
        return
    for _, child in part.children():
        yield from bases(child)


def samples(model: Any, parts: Parts, decoding: Decoding, count: int = 3) -> list[tuple[str, ...]]:
    """Held-out rows, what the model makes of them and what is right, or why it cannot be asked; and, where it tells
    languages, the options of `try` that name them."""
    from smolrecipes.architectures.heads import head_of

    rows = parts.validation_rows if parts.validation_rows is not None else parts.train_rows
    head, rng = head_of(model.config, type(model).__name__), random.Random(parts.seed)
    chosen = rng.sample(range(len(rows)), min(count, len(rows)))
    if head == "causal":
        return _continued(model, parts, decoding, rows, chosen)
    return [pair for index in chosen for pair in _answered(model, parts, decoding, rows[index], head, rng)]


def _answered(
    model: Any, parts: Parts, decoding: Decoding, row: dict[str, Any], head: str, rng: random.Random
) -> list[tuple[str, ...]]:
    """What the row asks a model with this head, and what it answers; nothing where it asks nothing."""
    from smolrecipes.ask.ask import WRITERS, ask
    from smolrecipes.ask.rows import question

    asked = question(row, head, parts.tokenizer, rng)
    if asked is None:
        return []
    try:
        source, target = asked.languages
        if known := getattr(model.config, "lang2id", None):
            source = row.get("source_language") or next(iter(known))
        found = ask(model, parts.tokenizer, asked.texts, decoding if head in WRITERS else None, 3, source, target)
        repeats = {"masks", "tokens"} & found.data.keys()  # the text itself, before what is said of it
        said = found.text.split("\n", 1)[-1] if repeats else found.text
    except Exception as error:  # the training is over and good: what came of it must be kept
        said = f"(not asked: {error})"
    given = {"--source": source, "--target": target}
    languages = [word for option, name in given.items() if name for word in (option, name)]
    answer = f"{', '.join(said.splitlines())}  [right: {asked.right}]"
    return [(" | ".join(_shown(text) for text in asked.texts), answer, *languages)]


def _continued(model: Any, parts: Parts, decoding: Decoding, rows: Dataset, chosen: list[int]) -> list[tuple[str, ...]]:
    """Held-out prompts, and how a decoder answers or goes on."""
    from smolrecipes.generate import generate

    found: list[tuple[str, ...]] = []
    for index in chosen:
        asked, tools = prompt(rows, index), rows[index].get("tools")
        said = asked
        if not parts.tokenizer.chat_template and not isinstance(asked, str):
            said = "".join(str(m.get("content") or "") for m in asked)  # answers were learned right after the question
        try:
            text = "text" in rows.column_names
            answer = generate(model, parts.tokenizer, [said], decoding, tools=tools, text=text)[0].strip()
        except Exception as error:  # the training is over and good: what came of it must be kept
            answer = f"(not asked: {error})"
        found.append((_shown(asked), answer))
    return found


def prompt(rows: Dataset, index: int) -> Any:
    """What a row asks: the messages before the answer, or the beginning of a text."""
    row = rows[index]
    if "prompt" in row:
        return row["prompt"]
    if "messages" in row:
        turns = [message["role"] for message in row["messages"]]
        return row["messages"][: turns.index("assistant")] if "assistant" in turns else row["messages"]
    text = str(row.get("source") or row.get("text") or "")
    border = re.search(r"\s", text[40:200])  # between words, where there is such a place
    return text if "source" in row else text[: 40 + border.start() if border else 200]


def _shown(asked: Any) -> str:
    text = asked if isinstance(asked, str) else " / ".join(str(m.get("content") or "") for m in asked)
    return " ".join(text.split())


def _change(found: dict[str, Any], name: str, form: str) -> str:
    """`before → after`; nothing where there is none."""
    before, after = found["before"].get(name), found["after"].get(name)
    if after is None:
        return ""
    return f"{form.format(before)} → {form.format(after)}" if before is not None else form.format(after)


def _tokens(count: float) -> str:
    return f"{count / 1e6:,.2f} M tokens" if count >= 1e5 else f"{count:,.0f} tokens"


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.2f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def launcher() -> str:
    return "smolrecipes" if Path(sys.argv[0]).name == "smolrecipes" else "python -m smolrecipes"
