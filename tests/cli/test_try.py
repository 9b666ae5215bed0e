"""`smolrecipes try` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import BERT, CLM, MLM, Llama, Recipe, Toy, Training, Transformer, Translation, WordPiece, Words, run
from smolrecipes.ask.load import load
from smolrecipes.ask.neighbours import neighbours


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    training = Training(steps=2, global_batch_size=4, max_length=64)
    sizes: dict[str, Any] = {"layers": 1, "hidden": 32, "heads": 2, "max_length": 64}
    text = Recipe(
        tokenizer=WordPiece(vocab_size=300),
        model=Llama(**sizes),
        data=Toy("stories", rows=40),
        objective=CLM(),
        training=training,
    )
    mask = text.replace(tokenizer=WordPiece(vocab_size=300, specials="bert"), model=BERT(**sizes), objective=MLM())
    return {"text": run(text, runs=folder).folder, "mask": run(mask, runs=folder).folder}


def test_a_mask_is_filled_and_attention_drawn(cli: Any, runs: dict[str, Path], tmp_path: Path) -> None:
    drawn = tmp_path / "deep" / "map.svg"
    done = cli(
        "try", str(runs["mask"]), "The red [MASK] .", "--top", "2", "--attention", str(drawn), "--neighbours", "red"
    )
    assert done.code == 0 and done.err == ""
    filled, shares, near, drawing = done.out.splitlines()
    assert filled.startswith("The red") and shares.count("%") == 2
    assert near.startswith("red (the mean of r ##ed): ") and drawing == f"attention  {drawn}"
    assert drawn.read_text(encoding="utf-8").startswith("<svg")
    found = json.loads(cli("try", str(runs["mask"]), "The red [MASK] .", "--json").out)
    assert found["answer"]["text"] == filled and len(found["answer"]["masks"][0]) == 5


def test_what_learned_texts_continues_them(cli: Any, runs: dict[str, Path]) -> None:
    done = cli("try", str(runs["text"]), "The red ball", "--decoding", "max_new_tokens=3", "--decoding", "beams=2")
    assert done.code == 0 and done.out.startswith("The red ball")


def test_a_mask_that_no_model_of_this_kind_fills_is_said(cli: Any, runs: dict[str, Path]) -> None:
    """It goes on from the text as it stands, since somebody may mean just these letters."""
    said = r"^this model \(causal\) goes on from its text and fills no \[MASK\]: it reads it as any word$"
    with pytest.warns(UserWarning, match=said):
        done = cli("try", str(runs["text"]), "The red [MASK] .", "--decoding", "max_new_tokens=3")
    assert done.code == 0 and done.out.startswith("The red")


@pytest.mark.parametrize(
    ("run", "words", "said"),
    [
        ("mask", [], "try takes a text, or --neighbours WORD"),
        ("mask", ["--neighbours", "red", "--attention", "a.svg"], "--attention draws one text; give it alone"),
        ("mask", ["[MASK]", "--attention", "a.png"], "--attention writes SVG, and 'a.png' does not end with .svg"),
        ("mask", ["no hole"], "there is nothing to fill in: write [MASK] where a word is missing"),
        ("text", ["a", "--decoding", "beam=2"], "--decoding: there is no option 'beam'; did you mean 'beams'?"),
        ("text", ["a", "--decoding", "beams"], "--decoding takes OPTION=VALUE, as in beams=4, not 'beams'"),
        ("text", ["a", "--decoding", "top_k=3"], "Decoding.top_k is for sampling, and temperature=0 does not"),
        ("text", ["a", "--source", "en"], "this model knows no tokens of languages"),
        ("text", ["a", "b"], "this model (causal) takes one text, not 2 texts"),
        ("text", [""], "the text is empty; this model (causal) takes one text"),
        ("mask", [""], "the text is empty; this model (masked) takes a text with [MASK] in it"),
    ],
)
def test_mistakes_are_sentences(cli: Any, runs: dict[str, Path], run: str, words: list[str], said: str) -> None:
    done = cli("try", str(runs[run]), *words)
    assert (done.code, done.out) == (2, "") and done.err.startswith(f"error: {said}")


def test_words_that_are_used_alike_are_near_after_training_and_not_before(tmp_path: Path) -> None:
    """Colours: of a colour's five nearest words, how many are colours."""
    colours = ("red", "blue", "green", "yellow", "white", "black", "brown", "pink", "grey", "golden")
    recipe = Recipe(
        tokenizer=Words(vocab_size=700, specials="marian"),
        model=Transformer(layers=1, hidden=64, heads=4, max_length=64),
        data=Toy("translations", rows=6000), objective=Translation(),
        training=Training(steps=250, global_batch_size=32, max_length=64, learning_rate=3e-3, log_every=1000),
    )  # fmt: skip

    def alike(steps: int) -> float:
        done = run(recipe.replace(training=recipe.training.replace(steps=steps)), runs=tmp_path)
        model, tokenizer = load(done.model)
        known = [word for word in colours if word in tokenizer.get_vocab()]
        near = [{name for name, _ in neighbours(model, tokenizer, word, 5)} & {*known} for word in known]
        assert len(known) > 5
        return sum(map(len, near)) / (5 * len(near))

    before, after = alike(1), alike(250)
    assert before < 0.2 and after > 0.5
