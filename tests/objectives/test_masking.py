"""What MLM hides: in the shares asked for, whole words entirely or not at all, and by the row's own numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset

from smolrecipes import (
    ALBERT,
    BERT,
    MLM,
    MLMNSP,
    MLMSOP,
    TLM,
    XLM,
    ByteBPE,
    Characters,
    Files,
    Layout,
    Llama,
    ModernBERT,
    Recipe,
    RecipeError,
    RoBERTa,
    Toy,
    Training,
    Unigram,
    WordPiece,
    run,
)
from smolrecipes.architectures.sizes import first_position
from smolrecipes.batches import Batches, Drawn
from smolrecipes.build import build_model, choose_layout
from smolrecipes.objectives.labels import IGNORE
from smolrecipes.objectives.masking import hide, ordinary, some_tokens, some_words
from smolrecipes.run import ready

TEXT = "The unbelievable elephants were wandering through extraordinary gardens, carefully and slowly. "
UNSEEN = "Trelegants unwondering"


def built(kind: Any) -> Any:
    return kind.build(Dataset.from_dict({"text": [TEXT * 3, "abc " * 40], "origin": ["a:1", "a:2"]}))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return built(WordPiece(vocab_size=120, specials="bert"))


@pytest.mark.parametrize(("kind", "size"), [(WordPiece, 105), (ByteBPE, 330), (Unigram, 105)])
def test_words_begin_where_the_tokenizer_splits(kind: Any, size: int) -> None:
    """For tokenizers that mark a word's beginning, its continuation, or neither."""
    made = built(kind(vocab_size=size, specials="bert"))
    (example,) = MLM(unit="word", documents="separate").prepare_many([{"text": TEXT + UNSEEN}], made, 512)
    assert example is not None
    cuts = np.flatnonzero(example["begins"])
    words = [made.decode(part).strip(" .,") for part in np.split(example["input_ids"], cuts[1:])]
    assert [word for word in words if word] == [word.strip(".,") for word in (TEXT + UNSEEN).split()]
    assert len(example["input_ids"]) > len(words) + len(UNSEEN.split())


def test_whole_words_are_hidden_entirely_or_not_at_all(tokenizer: Any) -> None:
    objective = MLM(unit="word", rate=0.3)
    (example,) = objective.prepare_many([{"text": TEXT * 2}], tokenizer, 512)
    assert example is not None
    shares = []
    for seed in range(200):
        labels = objective.draw(example, np.random.default_rng(seed), tokenizer)["labels"]
        hidden = labels[1:-1] != IGNORE
        for part in np.split(hidden[:-1], np.flatnonzero(example["begins"][:-1])[1:]):
            assert part.all() or not part.any()
        shares.append(hidden.mean())
    assert np.mean(shares) == pytest.approx(0.33, abs=0.04)


def test_spans_have_lengths_of_a_geometric_distribution_and_fare_alike(tokenizer: Any) -> None:
    ids, begins = np.full(600, int(np.flatnonzero(ordinary(tokenizer))[0])), np.ones(600)
    lengths, rng = [], np.random.default_rng(0)
    for _ in range(60):
        places, together = some_words(ids, begins, 0.05, rng, tokenizer, longest=10)
        counts = np.bincount(together)
        lengths += counts[:-1].tolist()  # the last is cut where enough is hidden
        assert len(places) == 30
        seen, labels = hide(ids, places, rng, tokenizer, 0.8, 0.1, together)
        for one in set(together.tolist()):
            masked = seen[places[together == one]] == tokenizer.mask_token_id
            assert masked.all() or not masked.any()
        assert (labels != IGNORE).sum() == 30
    clipped = [min(10, n) for n in np.random.default_rng(1).geometric(0.2, 20_000)]
    assert np.mean(lengths) == pytest.approx(np.mean(clipped), rel=0.15) and max(lengths) == 10


def test_tokens_are_hidden_in_the_shares_asked_for(tokenizer: Any) -> None:
    ids = np.random.default_rng(0).choice(np.flatnonzero(ordinary(tokenizer)), 1000)
    ids[::10] = tokenizer.sep_token_id
    rng, counts = np.random.default_rng(0), np.zeros(3)
    for _ in range(40):
        chosen = some_tokens(ids, 0.15, rng, tokenizer)
        seen, labels = hide(ids, chosen, rng, tokenizer)
        assert len(chosen) == 135 and not (ids[chosen] == tokenizer.sep_token_id).any()
        assert (labels[chosen] == ids[chosen]).all() and (np.delete(labels, chosen) == IGNORE).all()
        assert (np.delete(seen, chosen) == np.delete(ids, chosen)).all()
        masked, kept = seen[chosen] == tokenizer.mask_token_id, seen[chosen] == ids[chosen]
        assert ordinary(tokenizer)[seen[chosen][~masked]].all()
        counts += masked.sum(), (~masked & ~kept).sum(), kept.sum()
    np.testing.assert_allclose(counts / counts.sum(), [0.8, 0.1, 0.1], atol=0.015)


@pytest.mark.parametrize("static", [False, True])
def test_a_mask_depends_on_seed_epoch_and_row_alone(tokenizer: Any, static: bool) -> None:
    objective = MLM(static=static)
    rows = [{"input_ids": tokenizer(TEXT, add_special_tokens=False)["input_ids"], "origin": f"a:{i}"} for i in range(6)]
    examples = Dataset.from_list(rows)

    def labels(batch: int, epoch: int, seed: int = 0) -> list[list[int]]:
        batches = Batches([9] * 6, batch=batch, seed=seed)
        batches.set_epoch(epoch)
        drawn = Drawn(examples, batches, lambda row, rng: objective.draw(row, rng, tokenizer), objective.redraws)
        found = {i: drawn[i]["labels"].tolist() for some in batches for i in some}
        return [found[i] for i in range(6)]

    assert labels(2, 1) == labels(3, 1) and labels(2, 1) != labels(2, 1, seed=1)
    assert (labels(2, 1) == labels(2, 2)) is static
    assert len(set(map(str, labels(2, 0)))) == 6


def test_a_tokenizer_without_a_mask_is_a_sentence(tmp_path: Path) -> None:
    recipe = Recipe(
        tokenizer=Characters(), model=BERT(layers=1, hidden=32, heads=2), data=Toy("stories", rows=20), objective=MLM()
    )
    with pytest.raises(RecipeError, match=r"has no .*mask"):
        run(recipe, runs=tmp_path)


def test_learns_far_below_the_frequencies(tmp_path: Path) -> None:
    """A ring of twenty letters: each is as frequent, and its neighbours tell which it is."""
    rng, letters = np.random.default_rng(0), "abcdefghijklmnopqrst"
    rows = [{"text": "".join(letters[(start + i) % 20] for i in range(30))} for start in rng.integers(0, 20, 400)]
    (tmp_path / "ring.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = Recipe(
        tokenizer=Characters(specials="distilbert"),
        model=ModernBERT(layers=2, hidden=64, heads=4, max_length=32),
        data=Files(str(tmp_path / "ring.jsonl")),
        objective=MLM(documents="separate", masked=1.0, random=0.0),
        training=Training(
            steps=100, global_batch_size=16, max_length=32, learning_rate=5e-3, optimizer="muon", log_every=1000
        ),
    )
    assert run(recipe, runs=tmp_path).results["after"]["nll"] < 0.5 * np.log(20)


def two_parts(kind: Any, unit: str = "token") -> tuple[Any, Any, Any]:
    objective = kind(unit=unit, masked=0.0, random=0.0)
    tokenizer = built(WordPiece(vocab_size=120, specials="bert"))
    rows = [
        {"text": f"One {word}. Two {word}. Three {word}.", "origin": f"a:{i}"}
        for i, word in enumerate(["abc", "and", "slowly"])
    ]
    tokenizer = WordPiece(vocab_size=120, specials="bert").build(Dataset.from_list(rows))
    made = [
        {**example, "origin": row["origin"]} for row, example in zip(rows, objective.prepare_many(rows, tokenizer, 64))
    ]
    return objective, tokenizer, objective.arrange(Dataset.from_list(made), 64, tokenizer)


@pytest.mark.parametrize("unit", ["token", "word"])
def test_next_sentences_are_the_documents_own_or_anothers(unit: str) -> None:
    objective, tokenizer, examples = two_parts(MLMNSP, unit)
    answers = []
    for seed in range(60):
        example = objective.draw(examples[seed % 3], np.random.default_rng(seed), tokenizer)
        ids, types = example["input_ids"], np.array(example["types"])
        assert ids[0] == tokenizer.cls_token_id and (ids == tokenizer.sep_token_id).sum() == 2
        first, second = (tokenizer.decode(ids[types == kind], skip_special_tokens=True) for kind in (0, 1))
        word = first.split()[1].strip(".")
        assert first.startswith("One") and (word in second) is (example["answer"] == 0)
        answers.append(example["answer"])
    assert 0.3 < np.mean(answers) < 0.7


def test_sentences_change_places() -> None:
    objective, tokenizer, examples = two_parts(MLMSOP)
    for seed in range(30):
        example = objective.draw(examples[0], np.random.default_rng(seed), tokenizer)
        text = tokenizer.decode(example["input_ids"], skip_special_tokens=True)
        assert text.startswith("One") is (example["answer"] == 0) and sorted(text.split()) == sorted(TWO.split())


TWO = "One abc. Two abc. Three abc."


@pytest.mark.parametrize(("objective", "model", "task"), [(MLMNSP(), BERT, "nsp"), (MLMSOP(), ALBERT, "sop")])
def test_the_second_task_is_learned(objective: Any, model: Any, task: str, tmp_path: Path) -> None:
    """A document's letters are three of one kind, or rise: far below ln 2, and right far more often than by chance."""
    rng = np.random.default_rng(0)
    if task == "nsp":
        kinds = rng.integers(0, 8, 2000)
        rows = ["".join(chr(97 + 3 * kind + i) for i in rng.integers(0, 3, 24)) for kind in kinds]
    else:
        rows = ["a" * first + "b" * second for first, second in rng.integers(6, 13, (500, 2))]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": row}) for row in rows), encoding="utf-8")
    recipe = Recipe(
        tokenizer=Characters(specials="bert"), model=model(layers=2, hidden=64, heads=4, max_length=32), data=Files(str(path)),
        validation=60, objective=objective,
        training=Training(steps=240, global_batch_size=32, max_length=32, learning_rate=5e-3, optimizer="muon", log_every=1000),
    )  # fmt: skip
    after = run(recipe, runs=tmp_path).results["after"]
    assert after["accuracy"] > 0.85 and after[task] < 0.6 * np.log(2)


@pytest.mark.parametrize(
    ("objective", "model", "task", "checkpointing"),
    [
        (MLMNSP(), BERT, "stories", False),
        (MLMNSP(), BERT, "stories", True),
        (MLMSOP(), ALBERT, "stories", False),
        (TLM(), BERT, "translations", False),
        (TLM(), RoBERTa, "translations", False),
    ],
)
def test_two_texts_are_as_padded_side_by_side(objective: Any, model: Any, task: str, checkpointing: bool) -> None:
    """Losses, right answers and every gradient; no padding is computed."""
    rows = Toy(task, rows=12).load()
    tokenizer = WordPiece(vocab_size=300, specials="roberta" if model is RoBERTa else "bert").build(rows)
    recipe = Recipe(
        model=model(layers=2, hidden=32, heads=2, max_length=64), data=Toy(task), objective=objective,
        training=Training(max_length=48, gradient_checkpointing=checkpointing),
    )  # fmt: skip
    made = build_model(recipe, tokenizer)
    for part in made.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    if checkpointing:
        made.activation_checkpointing_enable()
    plain = [
        {**one, "origin": str(i)} for i, one in enumerate(objective.prepare_many(list(rows), tokenizer, 48)) if one
    ]
    examples = objective.arrange(Dataset.from_list(plain), 48, tokenizer)
    drawn = [objective.draw(one, np.random.default_rng(i), tokenizer) for i, one in enumerate(examples)]
    found = []
    padding = Layout(tokenizer.pad_token_id, False, first_position(made.config))
    for layout in (padding, choose_layout(recipe, made, tokenizer)):
        batch = objective.collate(drawn, layout)
        made.zero_grad()
        loss = objective.loss(made, batch)
        sum(mean.sum for mean in loss.terms.values()).backward()
        grads = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
        found.append((batch, {name: float(mean.sum) for name, mean in (loss.terms | loss.metrics).items()}, grads))
    (padded, losses, grads), (packed, same, alike) = found
    assert "attention_mask" in padded and packed["input_ids"].shape == (1, packed["input_tokens"])
    assert same == pytest.approx(losses, rel=1e-5) and grads.keys() == alike.keys()
    scale = 1e-5 * max(float(grad.norm()) for grad in grads.values())
    for name, grad in grads.items():
        torch.testing.assert_close(alike[name], grad, rtol=1e-4, atol=scale, msg=name)


def test_a_model_of_another_type_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(
        tokenizer=WordPiece(vocab_size=200, specials="bert"), model=ALBERT(layers=1, hidden=32, heads=2),
        data=Toy("stories", rows=20), objective=MLMNSP(),
    )  # fmt: skip
    with pytest.raises(RecipeError, match="mlm_nsp fits bert models, not those of type albert"):
        run(recipe, runs=tmp_path)
    with pytest.raises(RecipeError, match="mlm fits encoder models such as BERT, not decoder models such as Llama"):
        run(recipe.replace(model=Llama(layers=1), objective=MLM()), runs=tmp_path)


def test_a_pair_is_counted_from_both_beginnings() -> None:
    tokenizer = built(WordPiece(vocab_size=120, specials="xlm"))
    row = {"source": "the gardens", "target": "slowly and carefully", "source_language": "it", "target_language": "en"}
    example = {**TLM().prepare(row, tokenizer, 64), "origin": "a:1"}  # type: ignore[dict-item]
    drawn = TLM(masked=0.0, random=0.0).draw(example, np.random.default_rng(0), tokenizer)
    assert drawn["input_ids"].tolist() == tokenizer("the gardens", "slowly and carefully")["input_ids"]
    first, second = (len(tokenizer(row[side], add_special_tokens=False)["input_ids"]) for side in ("source", "target"))
    assert drawn["positions"].tolist() == [*range(first + 2), *range(second + 1)]  # </s> A </s>, B </s>
    assert drawn["langs"].tolist() == [1] * (first + 2) + [0] * (second + 1)


def test_a_hidden_word_is_read_in_its_translation(tmp_path: Path) -> None:
    """Each letter stands for one of another alphabet; beside another's translation nothing is known of it."""
    rng, path = np.random.default_rng(0), tmp_path / "pairs.jsonl"
    sources = [rng.integers(0, 12, 6) for _ in range(1500)]
    rows = [
        {"source": "".join(chr(97 + i) for i in one), "target": "".join(chr(0x3B1 + i) for i in one)} for one in sources
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = Recipe(
        tokenizer=Characters(specials="xlm"), model=XLM(layers=2, hidden=64, heads=4, max_length=24), data=Files(str(path)),
        validation=100, objective=TLM(masked=1.0, random=0.0),
        training=Training(steps=250, global_batch_size=32, max_length=24, learning_rate=3e-3, optimizer="muon", log_every=1000),
    )  # fmt: skip
    done = run(recipe, runs=tmp_path)
    shuffled = [{**row, "target": rows[(i + 7) % len(rows)]["target"]} for i, row in enumerate(rows[:200])]
    (tmp_path / "other.jsonl").write_text("\n".join(map(json.dumps, shuffled)), encoding="utf-8")
    from smolrecipes import Pretrained

    other = recipe.replace(
        model=Pretrained(str(done.model)), tokenizer=None, validation=Files(str(tmp_path / "other.jsonl"))
    )
    without = ready(other, runs=tmp_path / "other").trainer.evaluate()["eval_nll"]
    assert done.results["after"]["nll"] < 0.6 * np.log(12) and without > np.log(12)
