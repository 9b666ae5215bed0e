"""LUKE's words and entities: mentions find their tokens, masks their entities, and what is around tells which it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForMaskedLM

from smolrecipes import BERT, LUKE, EntityMLM, Files, Recipe, RecipeError, Toy, Training, WordPiece, run
from smolrecipes.data.rows import each, make
from smolrecipes.kinds import Layout
from smolrecipes.objectives.entities import MASK, UNKNOWN
from smolrecipes.objectives.labels import IGNORE

ROWS = Toy("atlas", rows=60).load()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return WordPiece(vocab_size=400, specials="roberta").build(ROWS)


def test_a_mention_is_the_tokens_that_spell_it(tokenizer: Any) -> None:
    objective = EntityMLM().fitted(ROWS)
    for row in list(each(ROWS))[:20]:
        example = objective.prepare(row, tokenizer, 128)
        assert example is not None and example["cut"] == 0
        spelt = [
            tokenizer.decode(example["input_ids"][start:stop])
            for start, stop in zip(example["entity_starts"], example["entity_stops"])
        ]
        mentions = [row["text"][one["start"] : one["end"]] for one in row["entities"]]
        assert ["".join(text.split()) for text in spelt] == ["".join(text.split()) for text in mentions]
        names = [(objective.entities or ())[number - MASK - 1] for number in example["entity_ids"]]
        assert names == [one["entity"] for one in row["entities"]]


def test_the_commonest_entity_is_the_first_and_rare_ones_are_unknown(tokenizer: Any) -> None:
    texts = ["Rome and Rome", "Oslo", "Rome"]
    rows = [
        {"text": text, "entities": [{"start": at, "end": at + 4, "entity": text[at : at + 4]} for at in (0, 9)[: 1 + (len(text) > 4)]]}
        for text in texts
    ]  # fmt: skip
    known = EntityMLM(least=2).fitted(make("mentions", [{**row, "origin": "a:1"} for row in rows]))
    assert known.entities == ("Rome",)
    found = [known.prepare(row, tokenizer, 64) for row in rows]
    assert [one["entity_ids"] for one in found if one] == [[MASK + 1] * 2, [UNKNOWN], [MASK + 1]]
    labels = known.draw({**found[1], "origin": "a:2"}, np.random.default_rng(0), tokenizer)  # type: ignore[dict-item]
    assert labels["entity_labels"].tolist() == [IGNORE]
    with pytest.raises(RecipeError, match="no entity is mentioned 900 times"):
        EntityMLM(least=900).fitted(ROWS)


def test_what_lies_behind_the_cut_is_no_mention(tokenizer: Any) -> None:
    row = next(row for row in each(ROWS) if len(row["entities"]) > 3)
    example = EntityMLM().fitted(ROWS).prepare(row, tokenizer, 12)
    assert example is not None and example["cut"] > 0
    assert max(example["entity_stops"]) <= 11 and len(example["entity_ids"]) < len(row["entities"])


def test_a_batch_is_what_luke_reads(tokenizer: Any) -> None:
    objective = EntityMLM().fitted(ROWS)
    examples = [objective.prepare(row, tokenizer, 128) for row in list(each(ROWS))[:4]]
    drawn = [
        objective.draw({**one, "origin": f"a:{i}"}, np.random.default_rng(i), tokenizer)
        for i, one in enumerate(examples)
    ]  # type: ignore[dict-item]
    batch = objective.collate(drawn, Layout(pad_id=tokenizer.pad_token_id))
    counts = [len(one["entity_ids"]) for one in drawn]
    assert batch["entity_ids"].shape == (4, max(counts))
    assert batch["entity_attention_mask"].sum(1).tolist() == counts
    hidden = (batch["entity_ids"] == MASK).flatten().nonzero().flatten()
    assert hidden.tolist() == batch["entity_at"].tolist() and len(hidden) >= 4
    assert objective.counts(batch) == {"tokens": len(batch["labels"]), "entities": len(hidden)}
    for row, one in enumerate(drawn):
        for at, (start, stop) in enumerate(zip(one["entity_starts"], one["entity_stops"])):
            places = batch["entity_position_ids"][row, at]
            assert places[places >= 0].tolist() == list(range(start, stop))


def test_an_entity_is_known_by_what_is_around_it(tmp_path: Path) -> None:
    """Every mention is the word `it`, and twelve letters before tell which of twelve entities (no word is hidden)."""
    rng, rows = np.random.default_rng(0), []
    for which in rng.integers(0, 12, 600):
        text = f"{chr(97 + which)} {chr(97 + rng.integers(0, 12))} saw it"
        rows.append({"text": text, "entities": [{"start": len(text) - 2, "end": len(text), "entity": f"E{which}"}]})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = Recipe(
        tokenizer=WordPiece(vocab_size=120, specials="roberta"),
        model=LUKE(layers=2, hidden=64, heads=4, max_length=16, entities=15), data=Files(str(tmp_path / "rows.jsonl")),
        objective=EntityMLM(masked=0.0, random=0.0), validation=60,
        training=Training(steps=120, global_batch_size=32, max_length=16, optimizer="muon", learning_rate=5e-3, log_every=1000),
    )  # fmt: skip
    done = run(recipe, runs=tmp_path)
    after = done.results["after"]
    assert after["entity"] < 0.3 * np.log(12) and after["entity_accuracy"] > 0.9
    stored = AutoModelForMaskedLM.from_pretrained(done.model).config
    assert sorted(stored.entities) == sorted({f"E{i}" for i in range(12)})
    with pytest.raises(RecipeError, match=r"model.entities=14: the rows name 12 entities.*give model.entities=15"):
        run(recipe.replace(model=LUKE(layers=1, hidden=32, heads=2, entities=14)), runs=tmp_path)
    with pytest.raises(RecipeError, match="entity_mlm fits luke models, not those of type bert"):
        run(recipe.replace(model=BERT(layers=1, hidden=32, heads=2)), runs=tmp_path)
