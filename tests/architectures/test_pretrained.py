"""Pretrained: a folder or a hub id as the base, through the ordinary cache; every failure is one sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    ElectraConfig,
    ElectraForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from smolrecipes.adapters.lora import LoRA
from smolrecipes.architectures.pretrained import Pretrained
from smolrecipes.errors import RecipeError
from smolrecipes.tokenizers.pretrained import PretrainedTokenizer

WORDS = ["<pad>", "</s>", *(f"w{i}" for i in range(38))]
GPT1 = {"vocab_size": 40, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32}
SIZES = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def words(*more):
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>")
    made.add_tokens(list(more), special_tokens=True)
    return made


def llama(tied=False):
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=1, tie_word_embeddings=tied))


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=32))


def qwen3():
    return Qwen3ForCausalLM(Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=8))


def bert():
    return BertForMaskedLM(BertConfig(**SIZES))


def t5():
    return T5ForConditionalGeneration(T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2))


def saved(model, folder):
    model.save_pretrained(folder)
    words().save_pretrained(folder)
    return folder


def in_cache(folder, cache, repo="org/tiny", commit="a" * 40):
    """`folder` as the hub's client would have stored it."""
    home = cache / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(commit)
    (home / "blobs").mkdir(exist_ok=True)
    (home / "snapshots" / commit).mkdir(parents=True)
    for file in folder.iterdir():
        blob = home / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blob)
        try:
            (home / "snapshots" / commit / file.name).symlink_to(blob)
        except OSError:  # Windows without the right to link: the client stores files then, too
            shutil.copy(file, home / "snapshots" / commit / file.name)
    return cache


@pytest.mark.parametrize("make", [llama, gpt2, qwen3])
def test_a_folder_loads_as_it_was_saved(make, tmp_path):
    model = make().eval()
    built = Pretrained(str(saved(model, tmp_path / "m"))).build(words()).eval()
    text = torch.arange(2, 9)[None]
    assert torch.equal(built(text).logits, model(text).logits)
    assert type(built) is type(model) and list(built.new_token_ids) == []


@pytest.mark.parametrize(
    ("make", "computed_by"), [(llama, "sdpa"), (lambda: OpenAIGPTLMHeadModel(OpenAIGPTConfig(**GPT1)), "eager")]
)
def test_attention_is_what_the_type_has(make, computed_by, tmp_path):
    """So that a stage after one from scratch finds its model, whatever type it is."""
    built = Pretrained(str(saved(make(), tmp_path / "m"))).build(words())
    assert built.config._attn_implementation == computed_by


def test_its_tokenizer_comes_with_it(tmp_path):
    source = Pretrained(str(saved(llama(), tmp_path / "m")))
    assert source.tokenizer() == PretrainedTokenizer(str(tmp_path / "m"))
    assert source.tokenizer().build(None)("w3 w5")["input_ids"] == [5, 7]


@pytest.mark.parametrize("tied", [True, False])
def test_new_tokens_begin_as_the_mean(tied, tmp_path, caplog):
    source = Pretrained(str(saved(llama(tied), tmp_path / "m")))
    built = source.build(words("<|im_start|>", "<|im_end|>"))
    table, head = built.get_input_embeddings().weight, built.get_output_embeddings().weight
    assert list(built.new_token_ids) == [40, 41] and built.config.vocab_size == 42
    assert "2 new tokens (<|im_start|>, <|im_end|>)" in caplog.text
    for weight in (table, head):
        assert weight.shape[0] == 42
        assert torch.allclose(weight[40:], weight[:40].mean(0).expand(2, -1), atol=1e-7)
    assert (head is table) is tied


def test_an_adapter_with_new_tokens_returns_onto_its_base(tmp_path):
    from peft import PeftModel

    tokenizer, source = words("<|im_end|>"), Pretrained(str(saved(llama(), tmp_path / "m")))
    adapted = LoRA(r=2).apply(source.build(tokenizer), tokenizer)
    with torch.no_grad():
        for weight in adapted.parameters():
            weight += 0.1 * torch.randn_like(weight) if weight.requires_grad else 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted.save_pretrained(tmp_path / "adapter")
        again = PeftModel.from_pretrained(source.build(tokenizer), tmp_path / "adapter")
    text = torch.tensor([[2, 3, 40, 5]])
    assert (again.eval()(text).logits - adapted.eval()(text).logits).abs().max() <= 1e-6


def test_a_classifier_gets_a_new_head(tmp_path, caplog):
    for make, layer in (
        (llama, "score.weight"),
        (bert, "bert.pooler.dense.bias, bert.pooler.dense.weight, classifier.bias, classifier.weight"),
    ):
        built = Pretrained(str(saved(make(), tmp_path / make.__name__))).build(words(), "sequence-classification", 3)
        assert built.num_labels == 3 and built.config.pad_token_id == 0
        assert built(torch.tensor([[2, 3, 0], [4, 5, 6]])).logits.shape == (2, 3)
        assert layer in caplog.text


def test_dtype(tmp_path):
    built = Pretrained(str(saved(llama().bfloat16(), tmp_path / "m"))).build(words())
    assert built.dtype == torch.float32
    assert Pretrained(str(tmp_path / "m"), dtype="bfloat16").build(words()).dtype == torch.bfloat16


def test_what_does_not_fit_is_a_sentence(tmp_path, monkeypatch):
    saved(bert(), tmp_path / "bert"), saved(t5(), tmp_path / "t5"), words().save_pretrained(tmp_path / "words")
    saved(LlamaModel(LlamaConfig(**SIZES)), tmp_path / "bare"), (tmp_path / "file.txt").write_text("x")
    saved(llama(), tmp_path / "torn"), (tmp_path / "torn" / "model.safetensors").write_bytes(b"not weights")
    saved(llama(), tmp_path / "broken"), (tmp_path / "broken" / "config.json").write_text("{")
    for path, words_of_it in {
        "bert": r"is of type bert \(BertForMaskedLM\), not a causal language model.*An encoder fits classification",
        "t5": r"is of type t5 \(T5ForConditionalGeneration\), not a causal",
        "words": r"has no config.json, so no model was saved there; it holds tokenizer.json",
        "bare": r"lacks weights of LlamaForCausalLM: lm_head.weight; they would start at random",
        "brt": r"there is no such folder; did you mean 'bert'\?",
        "file.txt": r"is a file; name the folder that holds it",
        "torn": r"torn cannot be loaded: ",
        "broken": r"broken cannot be loaded: .*config",
    }.items():
        with pytest.raises(RecipeError, match=words_of_it) as caught:
            Pretrained(str(tmp_path / path)).build(words())
        assert "\n" not in str(caught.value)
    with pytest.raises(RecipeError, match=r"no head named 'maskd'; did you mean 'masked'"):
        Pretrained(str(tmp_path / "bert")).build(words(), "maskd")


def test_an_encoder_loads_with_the_heads_that_it_has(tmp_path, caplog):
    model = bert().eval()
    source, text = Pretrained(str(saved(model, tmp_path / "bert"))), torch.arange(2, 9)[None]
    assert torch.equal(source.build(words(), "masked").eval()(text).logits, model(text).logits)
    assert not caplog.text
    for head, shape in (
        ("token-classification", (1, 7, 3)),
        ("regression", (1, 1)),
        ("sequence-classification", (1, 3)),
    ):
        built = source.build(words(), head, 3)
        assert built(text).logits.shape == shape
        assert torch.equal(built.get_input_embeddings().weight, model.get_input_embeddings().weight)
        assert "its classification head is new" in caplog.text
        caplog.clear()
    assert source.build(words(), "question-answering")(text).start_logits.shape == (1, 7)
    assert source.build(words(), "multiple-choice")(text[:, None].repeat(1, 4, 1)).logits.shape == (1, 4)
    assert source.build(words(), "regression").config.problem_type == "regression"


@pytest.mark.parametrize(
    ("make", "head", "told"),
    [
        (bert, "pretraining", "lacks weights of BertForPreTraining: bert.pooler.dense.bias"),
        (
            bert,
            "seq2seq",
            r"is of type bert \(BertForMaskedLM\), which has no head 'seq2seq' in transformers \(it has: .*masked",
        ),
        (
            llama,
            "masked",
            r"is of type llama \(LlamaForCausalLM\), which has no head 'masked' in transformers \(it has: causal",
        ),
        (lambda: BertModel(BertConfig(**SIZES)), "masked", "lacks weights of BertForMaskedLM: cls.predictions"),
        (
            lambda: ElectraForMaskedLM(ElectraConfig(**SIZES)),
            "discriminator",
            "lacks weights of ElectraForPreTraining: discr",
        ),
        (
            t5,
            "masked",
            r"is of type t5 .*, which has no head 'masked' in transformers \(it has: sequence-classification, seq2seq",
        ),
    ],
)
def test_a_head_that_is_learned_before_is_never_random(make, head, told, tmp_path):
    with pytest.raises(RecipeError, match=told):
        Pretrained(str(saved(make(), tmp_path / "m"))).build(words(), head)


def test_an_encoder_decoder_loads_with_its_head(tmp_path):
    model, text = t5().eval(), torch.arange(2, 9)[None]
    built = Pretrained(str(saved(model, tmp_path / "m"))).build(words(), "seq2seq").eval()
    assert torch.equal(built(text, decoder_input_ids=text).logits, model(text, decoder_input_ids=text).logits)


def test_new_tokens_of_an_encoder_have_a_row_and_a_bias(tmp_path):
    built = Pretrained(str(saved(bert(), tmp_path / "m"))).build(words("<new>"), "masked")
    assert built(torch.tensor([[2, 40]])).logits.shape == (1, 2, 41)
    assert built.get_output_embeddings().weight is built.get_input_embeddings().weight


def test_a_bare_body_with_tied_tables_needs_no_head(tmp_path):
    body = GPT2Model(GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=32))
    assert isinstance(Pretrained(str(saved(body, tmp_path / "m"))).build(words()), GPT2LMHeadModel)


def test_code_of_the_repository_is_never_run(tmp_path):
    import json

    saved(llama(), tmp_path / "m")
    settings = json.loads((tmp_path / "m" / "config.json").read_text())
    settings |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.EvilConfig", "AutoModelForCausalLM": "evil.Evil"},
    }
    (tmp_path / "m" / "config.json").write_text(json.dumps(settings))
    (tmp_path / "m" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(RecipeError, match="code from its own repository, which smolrecipes never runs"):
        Pretrained(str(tmp_path / "m")).build(words())
    assert not (tmp_path / "ran").exists()


def test_identity_is_the_content_not_the_place(tmp_path):
    saved(llama(), tmp_path / "a"), shutil.copytree(tmp_path / "a", tmp_path / "b"), saved(gpt2(), tmp_path / "c")
    prints = [Pretrained(str(tmp_path / name)).fingerprint() for name in "abc"]
    assert prints[0] == prints[1] != prints[2]
    assert Pretrained(str(tmp_path / "a"), attention="eager").fingerprint() == prints[0]
    assert Pretrained(str(tmp_path / "a"), dtype="bfloat16").fingerprint() != prints[0]
    weights = tmp_path / "b" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    os.utime(weights, (1, 1))
    assert Pretrained(str(tmp_path / "b")).fingerprint() != prints[0]
    words_of = [PretrainedTokenizer(str(tmp_path / name)) for name in "ac"]
    assert words_of[0].fingerprint() == words_of[1].fingerprint()


PROGRAM = """
import sys
from smolrecipes.architectures.pretrained import Pretrained
from smolrecipes.errors import RecipeError
for asked in sys.argv[1:]:
    path, _, revision = asked.partition("@")
    source = Pretrained(path, revision=revision or None)
    try:
        tokenizer = source.tokenizer().build(None)
        model = source.build(tokenizer)
        print(type(model).__name__, tokenizer("w3")["input_ids"], source.identity()["commit"][:4], model.name_or_path)
    except RecipeError as error:
        print("sentence:", error)
"""


def ask(cache, *asked, **environment):
    """What the program prints, line by line, with nothing but this cache."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE_", "TRANSFORMERS_"))}
    env = {**clean, "HF_HUB_CACHE": str(cache), **environment}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *asked], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_hub_id_loads_from_the_cache_offline(tmp_path):
    cache = in_cache(saved(qwen3(), tmp_path / "m"), tmp_path / "hub")
    in_cache(saved(gpt2(), tmp_path / "n"), cache, commit="b" * 40)  # main moved on; the old commit stays
    main, old, tag, absent, odd = ask(
        cache, "org/tiny", f"org/tiny@{'a' * 40}", "org/tiny@v2", "org/absent", "not a name", HF_HUB_OFFLINE="1"
    )
    assert main == "GPT2LMHeadModel [5] bbbb org/tiny"
    assert old == "Qwen3ForCausalLM [5] aaaa org/tiny"
    assert tag.startswith("sentence: org/tiny (revision v2) is neither a folder here nor in the cache")
    assert absent.startswith("sentence: org/absent is neither a folder here nor in the cache")
    assert "HF_HUB_OFFLINE is set" in absent and "hf download org/absent" in absent
    assert "neither a folder here nor a hub id" in odd


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("GatedRepoError", r"org/x is gated: accept its terms at https://.*/org/x, then log in"),
        ("RepositoryNotFoundError", "org/x is neither a folder here nor a model on the hub"),
        ("RevisionNotFoundError", "org/x has no revision 'v9' on the hub"),
        ("LocalEntryNotFoundError", r"org/x \(revision v9\) is not in the cache .* and the hub cannot be reached"),
        ("RemoteEntryNotFoundError", "org/x is on the hub, but holds no model"),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(name, told, monkeypatch):
    import huggingface_hub
    from huggingface_hub import errors

    def refuse(*args, **kwargs):
        kind = getattr(errors, name)
        raise kind.__new__(kind, "refused")  # which arguments it takes depends on the client's version

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(RecipeError, match=told):
        Pretrained("org/x", revision="v9").build(words())


def test_the_commit_is_asked_for_once(monkeypatch):
    import huggingface_hub

    asked = []
    snapshot = f"/cache/snapshots/{'c' * 40}/config.json"
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda path, file, **_: asked.append(path) or snapshot)
    for _ in range(2):
        assert Pretrained("org/once").identity()["commit"] == "c" * 40
    assert Pretrained("org/once", revision="v2").identity()["commit"] == "c" * 40
    assert asked == ["org/once", "org/once"], "once for each revision"


def test_bases_that_transformers_loads_take_an_adapter(tmp_path):
    for make in (gpt2, qwen3):
        built = Pretrained(str(saved(make(), tmp_path / make.__name__))).build(words())
        text = torch.arange(2, 9)[None]
        LoRA(r=2).apply(built, words())(text, labels=text).loss.backward()
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "gpt2") is not None
