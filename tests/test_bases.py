"""Other people's models as the base: from a folder, from the hub's cache, of any causal family; and what comes out."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from smolrecipes import ORPO, SFT, Decoding, LoRA, Pretrained, PretrainedTokenizer, Recipe, RecipeError, Training, run

COUNTED = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|endoftext|>{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
SHORT = {
    "training": Training(steps=2, global_batch_size=2, max_length=96, learning_rate=5e-3, device="cpu"),
    "decoding": Decoding(max_new_tokens=3),
    "validation": 2,
}
MADE: dict[str, Callable[[int], Any]] = {
    "llama": lambda vocabulary: LlamaForCausalLM(
        LlamaConfig(**SIZES, vocab_size=vocabulary, num_key_value_heads=1, tie_word_embeddings=True)
    ),
    "gpt2": lambda vocabulary: GPT2LMHeadModel(
        GPT2Config(vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=2, n_positions=128)
    ),
    "qwen3": lambda vocabulary: Qwen3ForCausalLM(
        Qwen3Config(**SIZES, vocab_size=vocabulary, num_key_value_heads=1, head_dim=16)
    ),
    "gpt_neox": lambda vocabulary: GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES, vocab_size=vocabulary)),
}


def tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    """Like GPT-2's: bytes, an end of text, nothing else; no padding token."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw.train_from_iterator(
        COUNTED, trainers.BpeTrainer(special_tokens=["<|endoftext|>"], initial_alphabet=letters, show_progress=False)
    )
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|endoftext|>")
    made.chat_template = template
    return made


def base(family: str, folder: Path, template: str | None = TEMPLATE) -> Path:
    """A model of random weights with its tokenizer, as `save_pretrained` writes them."""
    torch.manual_seed(0)
    words = tokenizer(template)
    MADE[family](len(words)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def in_cache(source: Path, cache: Path, repo: str) -> None:
    """`source` as the hub's client keeps what it downloads."""
    home, commit = cache / f"models--{repo.replace('/', '--')}", "0123456789abcdef" * 2 + "01234567"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit, encoding="utf-8")
    shutil.copytree(source, home / "snapshots" / commit)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with conversations of two turns, questions and answers, and preference pairs."""
    monkeypatch.chdir(tmp_path)
    chats = [
        {
            "messages": [
                {"role": "user", "content": f"say {word}"},
                {"role": "assistant", "content": word},
                {"role": "user", "content": "again"},
                {"role": "assistant", "content": f"{word} {word}"},
            ]
        }
        for word in COUNTED
    ]
    pairs = [{"prompt": f"say {word}", "chosen": word, "rejected": word[::-1]} for word in COUNTED]
    answers = [{"question": f"say {word}", "answer": word} for word in COUNTED]
    for name, rows in (("chats", chats), ("pairs", pairs), ("answers", answers)):
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(torch.arange(1, 40)[None]).logits
    return found


@pytest.mark.parametrize("objective", [SFT(), ORPO()], ids=["sft", "orpo"])
@pytest.mark.parametrize("family", MADE)
def test_a_folder_of_any_causal_family_is_trained_with_a_lora(family: str, objective: Any, here: Path) -> None:
    folder = base(family, here / "base")
    data = "chats.jsonl" if isinstance(objective, SFT) else "pairs.jsonl"
    recipe = Recipe(model="./base", data=data, objective=objective, adapter=LoRA(r=2), **SHORT)
    done = run(recipe, runs=here / "runs")
    assert done.results["steps"] == 2 and done.results["trained_parameters"] < done.results["parameters"] / 4
    finished, plain = (AutoModelForCausalLM.from_pretrained(path) for path in (done.model, folder))
    assert type(finished).__name__ == type(plain).__name__ == type(MADE[family](300)).__name__
    before = logits(plain)
    adapted = logits(PeftModel.from_pretrained(plain, done.adapter))
    assert (adapted - before).abs().max() > 1e-4, "the adapter changes nothing"
    torch.testing.assert_close(logits(finished), adapted, rtol=1e-4, atol=1e-5)
    again = AutoTokenizer.from_pretrained(done.model)
    assert again.chat_template == TEMPLATE and again("say one")["input_ids"] == tokenizer(None)("say one")["input_ids"]
    assert finished.generation_config.eos_token_id in (again.eos_token_id, [again.eos_token_id])


RECIPE = """
from smolrecipes import ORPO, Decoding, Recipe, Training

recipe = Recipe(
    model="nothing/yet", data="pairs.jsonl", objective=ORPO(), validation=2, decoding=Decoding(max_new_tokens=3),
    training=Training(steps=2, global_batch_size=2, max_length=96, learning_rate=5e-3, device="cpu"),
)
"""


def test_a_hub_id_is_found_in_the_ordinary_cache_offline(
    here: Path, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """All weights, through the real command line; the same weights from the folder are another run with equal numbers."""
    in_cache(base("llama", here / "base"), here / "home" / "hub", "org/tiny-model")
    Path("mine.py").write_text(RECIPE, encoding="utf-8")
    offline = {"HF_HOME": str(here / "home"), "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(here / "home" / "hub")}
    done = python("-m", "smolrecipes", "mine.py", "model=org/tiny-model", **offline)
    assert done.returncode == 0, done.stderr
    assert "model: org/tiny-model on the Hugging Face hub" in done.stdout
    (from_hub,) = here.glob("runs/mine-*")
    (here / "again").mkdir()
    local = run(Recipe(model="./base", data="pairs.jsonl", objective=ORPO(), **SHORT), runs=here / "again")
    numbers = json.loads((from_hub / "results.json").read_text(encoding="utf-8"))
    assert numbers["after"] == pytest.approx(local.results["after"], rel=1e-5)
    assert numbers["trained_parameters"] == numbers["parameters"]
    reloaded = AutoModelForCausalLM.from_pretrained(from_hub / "model")
    torch.testing.assert_close(logits(reloaded), logits(AutoModelForCausalLM.from_pretrained(local.model)))
    assert (logits(reloaded) - logits(AutoModelForCausalLM.from_pretrained(here / "base"))).abs().max() > 1e-4


def test_a_base_without_a_chat_template_says_what_to_do(here: Path) -> None:
    base("gpt2", here / "base", None)
    recipe = Recipe(model="./base", data="chats.jsonl", objective=SFT(), adapter=LoRA(r=2), **SHORT)
    with pytest.raises(RecipeError, match=r"chats\.jsonl:1: .* no chat template.*chat_template=chatml") as found:
        run(recipe, runs=here / "runs")
    advice = [word for word in str(found.value).split() if "=" in word]
    assert len(advice) == 2, "the base's tokenizer is not in the recipe, so it must be named too"
    done = run(recipe.override(*advice), runs=here / "runs")
    again = AutoTokenizer.from_pretrained(done.model)
    assert again.convert_tokens_to_ids("<|im_end|>") == len(again) - 1 == len(tokenizer(None)) + 1
    finished, plain = (AutoModelForCausalLM.from_pretrained(path) for path in (done.model, here / "base"))
    assert finished.get_input_embeddings().weight.shape[0] == plain.get_input_embeddings().weight.shape[0] + 2
    assert again.convert_tokens_to_ids("<|im_end|>") in finished.generation_config.eos_token_id


def test_questions_and_answers_need_no_chat_template(here: Path) -> None:
    base("gpt2", here / "base", None)
    done = run(Recipe(model="./base", data="answers.jsonl", objective=SFT(), **SHORT), runs=here / "runs")
    assert all(question.startswith("say ") for question, _ in done.results["samples"])
    assert len(done.results["samples"]) == 2


def test_a_run_is_a_base_like_any_other_folder(here: Path) -> None:
    base("qwen3", here / "base")
    first = run(Recipe(model="./base", data="chats.jsonl", objective=SFT(), **SHORT), runs=here / "runs")
    recipe = Recipe(model=str(first.folder), data="pairs.jsonl", objective=ORPO(), adapter=LoRA(r=2), **SHORT)
    built = recipe.trainer(runs=str(here / "runs"))
    importlib.import_module("torch").testing.assert_close(
        logits(built.model), logits(AutoModelForCausalLM.from_pretrained(first.model))
    )
    assert Pretrained(str(first.model)).tokenizer() == PretrainedTokenizer(str(first.model))
