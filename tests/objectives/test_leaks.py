"""What a model could learn instead of its task, or read instead of text: lengths that tell, control tokens that are spelt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForMaskedLM

from smolrecipes import (
    BART,
    BERT,
    FIM,
    MLMNSP,
    TLM,
    XLM,
    ByteBPE,
    Decoding,
    Infilling,
    Llama,
    RecipeError,
    Toy,
    Translation,
    Unigram,
    WordPiece,
)
from smolrecipes.ask import ask
from smolrecipes.generate import generate
from smolrecipes.objectives.fim import marks

TEXTS = Toy("stories", rows=60)


def test_the_length_of_a_second_part_does_not_tell_whether_it_follows() -> None:
    rng = np.random.default_rng(0)
    sizes: dict[int, list[int]] = {0: [], 1: []}
    for _ in range(3_000):
        halves: list[Any] = []
        for _ in range(2):
            ids = np.arange(30)
            cut = int(rng.integers(1, 30))
            halves.append(([ids[:cut]], [ids[cut:]]))
        (_, second), random = MLMNSP().parted(halves, rng)
        sizes[random].append(len(second[0]))
    means = [np.mean(sizes[kind]) for kind in (0, 1)]
    assert abs(means[0] - means[1]) < 0.5
    full = [np.mean(np.array(sizes[kind]) < 5) for kind in (0, 1)]
    assert abs(full[0] - full[1]) < 0.05


def test_a_translation_that_spells_control_tokens_has_none() -> None:
    tokenizer = Unigram(TEXTS, vocab_size=300, specials="t5", languages=("en", "it")).build(None)
    row = {"source": f"the {tokenizer.eos_token} cat __it__ {tokenizer.pad_token}", "target": "il gatto"}
    made = Translation(languages=("en", "it"), language_tokens=True).prepare(row, tokenizer, 64)
    assert made
    inside = made["input_ids"][1:-1]
    assert not {tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.convert_tokens_to_ids("__it__")} & set(inside)


def test_a_document_about_fill_in_the_middle_has_no_marks_of_its_own() -> None:
    tokenizer = ByteBPE(TEXTS, vocab_size=300, extra=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")).build(None)
    made = FIM().prepare({"text": "write <|fim_middle|> here"}, tokenizer, 64)
    assert made and not set(marks(tokenizer)) & {int(token) for token in made["input_ids"]}


def test_an_encoder_of_several_languages_is_told_which(tmp_path: Path) -> None:
    tokenizer = WordPiece(TEXTS, vocab_size=300, specials="xlm").build(None)
    model = XLM(layers=1, hidden=32, heads=2, max_length=32, languages=2).build(tokenizer, "masked")
    TLM().complete(model, XLM(), tokenizer)
    model.save_pretrained(tmp_path)
    again = AutoModelForMaskedLM.from_pretrained(tmp_path)
    text = f"the {tokenizer.mask_token} cat"
    with pytest.raises(RecipeError, match="reads en, it: say which of them with --source"):
        ask(again, tokenizer, [text])
    assert ask(again, tokenizer, [text], source="en").data != ask(again, tokenizer, [text], source="it").data


def test_what_a_model_does_not_read_is_refused() -> None:
    tokenizer = WordPiece(TEXTS, vocab_size=300, specials="bert").build(None)
    model = BERT(layers=1, hidden=32, heads=2, max_length=32).build(tokenizer, "masked")
    for more in ({"source": "en"}, {"target": "it"}, {"decoding": Decoding(beams=2)}):
        with pytest.raises(RecipeError, match=f"no use for --{next(iter(more))}"):
            ask(model, tokenizer, [f"a {tokenizer.mask_token}"], **more)


def test_holes_of_no_length_are_refused() -> None:
    with pytest.raises(RecipeError, match="span"):
        Infilling(span=0.0)


def test_an_encoder_decoder_is_held_to_its_positions() -> None:
    tokenizer = ByteBPE(TEXTS, vocab_size=300, specials="roberta").build(None)
    model = BART(layers=1, decoder_layers=1, hidden=32, heads=2, max_length=16).build(tokenizer, "seq2seq")
    with pytest.raises(RecipeError, match="the model reads 16 at most"):
        generate(model, tokenizer, ["word " * 40])
    assert len(generate(model, tokenizer, ["a"], Decoding(max_new_tokens=64))) == 1


def test_an_assistant_that_is_not_there_is_a_sentence() -> None:
    tokenizer = ByteBPE(TEXTS, vocab_size=300).build(None)
    model = Llama(layers=1, hidden=32, heads=2).build(tokenizer)
    with pytest.raises(RecipeError, match="/nowhere"):
        generate(model, tokenizer, ["a"], Decoding(assistant="/nowhere"))
