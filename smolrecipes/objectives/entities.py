"""MLM on words and entities: hidden words, and hidden entities behind the words that mention them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Positive
from smolrecipes.objectives.mlm import MLM

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.random import Generator
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from typing_extensions import Self

    from smolrecipes.kinds import Architecture, Layout

PAD, UNKNOWN, MASK = range(3)
"""The first ids of every vocabulary of entities."""


class EntityMLM(MLM, name="entity_mlm"):
    """LUKE's pretraining (arXiv:2010.01057): hidden tokens, and hidden entities, each beside the words that mention it.

    The entities' names, in the order of their ids, are stored in the model's configuration as `entities`.
    """

    rows: ClassVar[tuple[str, ...]] = ("mentions",)
    head: ClassVar[str] = "entities"
    types: ClassVar[tuple[str, ...]] = ("luke",)
    likelihood: ClassVar[bool] = False
    packs: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]] = ("entity_accuracy",)
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("entities",)

    documents: Literal["separate"] = "separate"
    """Each text stands by itself."""
    unit: Literal["token"] = "token"
    """What is hidden at once."""
    entities: tuple[str, ...] | None = None
    """Their names in the order of their ids, from 3 on; those of the training rows, the commonest first, when None."""
    least: Positive = 1
    """Mentions that an entity of the training rows needs; one with fewer is unknown."""

    def fitted(self, rows: Dataset) -> Self:
        """With the entities of the training rows."""
        from collections import Counter

        from smolrecipes.data.rows import each

        if self.entities:
            return self
        seen = Counter(mention["entity"] for row in each(rows) for mention in row["entities"])
        names = sorted((name for name, count in seen.items() if count >= self.least), key=lambda n: (-seen[n], n))
        if not names:
            raise RecipeError(f"no entity is mentioned {self.least} times in the rows; lower objective.least")
        return self.replace(entities=tuple(names))

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Checks that the model has room for the entities, and stores their names."""
        super().complete(model, architecture, tokenizer)
        need, room = len(self.entities or ()) + MASK + 1, model.config.entity_vocab_size
        if need > room:
            raise RecipeError(
                f"model.entities={room}: the rows name {need - MASK - 1:,} entities, which with padding, unknown and mask "
                f"are {need:,}; give model.entities={need}, or fewer of them with objective.least"
            )
        model.config.entities = list(self.entities or ())

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The text in its frame, and of each mention within it the entity and its tokens: from start to before stop."""
        import numpy as np

        from smolrecipes.objectives.framed import frame, with_offsets

        ids, starts, ends = with_offsets(row["text"], tokenizer)
        around = frame(tokenizer, 1)
        room = max_length - around.size
        if not ids or room < 1:
            return None
        made, number = around.around([ids[:room]]), {name: at for at, name in enumerate(self.entities or (), MASK + 1)}
        places = []
        for mention in row["entities"]:
            (inside,) = np.nonzero((ends > mention["start"]) & (starts < mention["end"]))
            if len(inside) and inside[-1] < room:
                first, last = (int(inside[at]) + made["starts"][0] for at in (0, -1))
                places.append((number.get(mention["entity"], UNKNOWN), first, last + 1))
        columns = zip(("entity_ids", "entity_starts", "entity_stops"), zip(*places) if places else ([], [], []))
        return {
            "input_ids": made["input_ids"],
            "cut": max(0, len(ids) - room),
            **{name: list(part) for name, part in columns},
        }

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """Row by row."""
        return [self.prepare(row, tokenizer, max_length) for row in rows]

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """As they are."""
        return examples

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Hides tokens and, always by the mask, a share of the known entities, one at least: `entity_labels`."""
        import numpy as np

        from smolrecipes.objectives.labels import IGNORE

        hidden = self.hidden(np.asarray(example["input_ids"]), None, rng, tokenizer)
        entities = np.asarray(example["entity_ids"], dtype=np.int64)
        (known,) = np.nonzero(entities > MASK)
        count = min(len(known), max(1, round(self.rate * len(known))))
        chosen = rng.choice(known, count, replace=False)
        labels, seen = np.full(len(entities), IGNORE), entities.copy()
        labels[chosen], seen[chosen] = entities[chosen], MASK
        return {**example, **hidden, "entity_ids": seen, "entity_labels": labels}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The texts with their hidden tokens, and what LUKE reads of entities, (texts, most entities) each.

        `entity_position_ids` is (texts, most entities, longest mention): a mention's tokens, then -1.
        """
        import numpy as np
        import torch

        from smolrecipes.objectives.labels import IGNORE
        from smolrecipes.objectives.layout import padded

        most = max(1, *(len(e["entity_ids"]) for e in examples))
        longest = max((stop - start for e in examples for start, stop in _bounds(e)), default=1)
        places = np.full((len(examples), most, longest), -1)
        for row, example in enumerate(examples):
            for column, (start, stop) in enumerate(_bounds(example)):
                places[row, column, : stop - start] = np.arange(start, stop)
        rest = np.zeros(most, dtype=np.int64)
        ids, labels = (
            padded([*(e[name] for e in examples), rest], value)[:-1]
            for name, value in (("entity_ids", PAD), ("entity_labels", IGNORE))
        )
        (at,) = np.nonzero(labels.ravel() != IGNORE)
        named = {
            "entity_ids": ids,
            "entity_attention_mask": (ids != PAD).astype(np.int64),
            "entity_position_ids": places,
            "entity_at": at,
            "entity_labels": labels.ravel()[at],
        }
        sequences = layout([(e["input_ids"], e["labels"]) for e in examples], causal=False)
        return {**sequences, **{name: torch.from_numpy(part) for name, part in named.items()}}

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens` and `entities`: the hidden ones."""
        return {"tokens": len(batch["labels"]), "entities": len(batch["entity_labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihoods, in nats per hidden token and per hidden entity."""
        import torch.nn.functional as F

        from smolrecipes.objectives.forward import before_head, reached_nll

        reached = before_head(model, batch)
        output = reached.output
        scores = output.entity_logits.flatten(0, 1)[batch["entity_at"]].float()
        right = batch["entity_labels"]
        nll = F.cross_entropy(scores, right, reduction="sum")
        hits = (scores.argmax(-1) == right).float().sum()
        words = Mean(reached_nll(reached, batch["labels"]), "tokens")
        return Loss({"mlm": words, "entity": Mean(nll, "entities")}, {"entity_accuracy": Mean(hits, "entities")})


def _bounds(example: dict[str, Any]) -> list[tuple[int, int]]:
    return list(zip(example["entity_starts"], example["entity_stops"]))
