"""Ollama: the Modelfile writes what the trained template writes, and what it leaves out is said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from smolrecipes import ByteBPE, Decoding, Ollama, RecipeError, Toy
from smolrecipes.conversation.render import render
from smolrecipes.exporters.around import pieces, rendered
from smolrecipes.exporters.ollama import left_out, modelfile
from smolrecipes.exporters.samples import CONVERSATIONS


@pytest.mark.parametrize("template", ["chatml", "llama3", "zephyr", "plain"])
def test_a_modelfile_writes_what_the_template_writes(template: str) -> None:
    tokenizer = ByteBPE(vocab_size=400, chat_template=template).build(Toy("chat", rows=50).load())
    found = pieces(tokenizer)
    for messages, tools in CONVERSATIONS:
        if not tools:
            assert rendered(found, messages) == render(messages, tokenizer, None, prompt=True)
    text = modelfile(tokenizer, Decoding(temperature=0.5))
    end = {"chatml": "<|im_end|>", "llama3": "<|eot_id|>"}.get(template, "<|endoftext|>")
    assert f'PARAMETER stop "{end}"' in text and "PARAMETER temperature 0.5" in text
    assert re.search(r'TEMPLATE """\{\{ range .Messages \}\}', text)


def test_a_template_that_is_more_than_words_around_messages_is_refused() -> None:
    tokenizer = ByteBPE(vocab_size=400, chat_template="gemma").build(Toy("chat", rows=50).load())
    with pytest.raises(RecipeError, match="Ollama has a template language of its own"):
        pieces(tokenizer)


def test_an_ollama_folder_says_what_ollama_does_without(made: Any) -> None:
    """The template has no tools, and three ways of decoding were dropped without a word."""
    folder = Ollama("q8_0").export(made())
    assert sorted(path.name for path in folder.iterdir()) == ["Modelfile", "model.gguf"]
    (found,) = json.loads(folder.with_name(f"{folder.name}.parity.json").read_text())
    assert "it refuses requests that offer them" in found["note"] and "smolrecipes serve" in found["note"]
    plain = ByteBPE(vocab_size=400, chat_template="plain").build(Toy("chat", rows=50).load())
    assert left_out(plain, Decoding()) == ""
    how = Decoding(temperature=1.0, typical_p=0.9, beams=2, no_repeat_ngram=3)
    assert left_out(plain, how) == "Ollama writes without the recipe's typical_p and beams and no_repeat_ngram"
