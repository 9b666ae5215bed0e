"""GGUF of every decoder that llama.cpp runs, in every form, with every template: the slice is in tests/exporters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from finished import SIZES, made_in

from smolrecipes import GGUF, GPT2, ByteBPE, Causal, Gemma3, Llama, Qwen3, RecipeError, SmolLM3
from smolrecipes.exporters.forms import MOST, PLAIN
from smolrecipes.tokenizers.templates import TEMPLATES

GROUPED: dict[str, Any] = {**SIZES, "kv_heads": 2}
MODELS = {
    "llama": Llama(**GROUPED),
    "llama-wide": Llama(layers=4, hidden=256, heads=4, kv_heads=2, max_length=256),
    "gpt2": GPT2(**SIZES),
    "qwen3": Qwen3(**GROUPED),
    "smollm3": SmolLM3(**GROUPED),
    "gemma3": Gemma3(**GROUPED),
    "mistral": Causal(model_type="mistral", **SIZES),
    "granite": Causal(model_type="granite", **SIZES),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", ["f16", "q8_0", "q4_k_m"])
def test_every_decoder(name: str, form: Any, tmp_path: Path) -> None:
    run = made_in(tmp_path, MODELS[name], ByteBPE(vocab_size=600, chat_template="chatml"))
    assert GGUF(form).export(run).stat().st_size > 10_000


@pytest.mark.parametrize("form", [*PLAIN, *MOST])
def test_every_form_in_blocks_of_256(form: Any, tmp_path: Path) -> None:
    run = made_in(tmp_path, MODELS["llama-wide"], ByteBPE(vocab_size=600, chat_template="chatml"))
    assert GGUF(form).export(run).exists()


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template(template: str, tmp_path: Path) -> None:
    run = made_in(tmp_path, MODELS["llama"], ByteBPE(vocab_size=600, chat_template=template))
    assert GGUF("f16").export(run).exists()


@pytest.mark.parametrize("model_type", ["phi", "gpt_neox", "olmo2"])
def test_what_llama_cpp_refuses_is_one_sentence(model_type: str, tmp_path: Path) -> None:
    run = made_in(tmp_path, Causal(model_type=model_type, **SIZES), ByteBPE(vocab_size=600, chat_template="chatml"))
    with pytest.raises(RecipeError, match="llama.cpp"):
        GGUF("f16").export(run)
    assert not list((run.folder / "exports").iterdir())
