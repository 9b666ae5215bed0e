"""What all families share: heads that are refused, sizes that are checked, special ids that are the tokenizer's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from smolrecipes import (
    BART,
    BERT,
    GPT,
    GPT2,
    GPT3,
    LUKE,
    M2M100,
    T5,
    XLM,
    Bytes,
    Causal,
    DeBERTaV3,
    Decoder,
    DistilBERT,
    Gemma3,
    Llama,
    Longformer,
    ModernBERT,
    Pretrained,
    Qwen3,
    RecipeError,
    RoBERTa,
    Scratch,
    SmolLM3,
    Transformer,
    XLNet,
)
from smolrecipes.architectures.sizes import check_sizes, first_position, readable

SIZES: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2, "max_length": 20}


@pytest.mark.parametrize(
    ("model", "head", "has"),
    [
        (
            Llama(**SIZES),
            "masked",
            "causal, sequence-classification, token-classification, question-answering, regression",
        ),
        (GPT(**SIZES), "token-classification", "causal, sequence-classification, regression"),
        (
            BERT(**SIZES),
            "causal",
            "sequence-classification, masked, pretraining, token-classification, question-answering, ",
        ),
        (RoBERTa(**SIZES), "pretraining", "sequence-classification, masked, token-classification"),
        (XLNet(**SIZES), "causal", "sequence-classification, permutation, token-classification"),
        (M2M100(**SIZES), "question-answering", "seq2seq)"),
        (BART(**SIZES), "masked", "sequence-classification, seq2seq, question-answering, regression)"),
    ],
    ids=repr,
)
def test_a_head_that_a_family_lacks_is_refused_with_those_it_has(
    model: Scratch, head: str, has: str, words: Any
) -> None:
    who = type(model).__name__
    with pytest.raises(RecipeError) as found:
        model.build(words(), head)
    assert str(found.value).startswith(f"{who} has no head '{head}' in transformers (it has: {has}")


@pytest.mark.parametrize(
    "kind", [BERT, RoBERTa, DeBERTaV3, LUKE, Longformer, XLM, XLNet, ModernBERT, BART, M2M100, T5, Transformer]
)
def test_special_ids_are_the_tokenizer_s(kind: type[Scratch], words: Any) -> None:
    config: Any = kind(**SIZES).build(words()).config
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (3, 5, 7)
    alone: Any = kind(**SIZES).build(words(bos=None, eos=None)).config  # a tokenizer with cls and sep only
    assert (alone.bos_token_id, alone.eos_token_id) == (6, 8)
    start = {BART: 7, M2M100: 7, T5: 3, Transformer: 3}.get(kind)
    assert start is None or config.decoder_start_token_id == start
    others = {XLM: "mask_index", Longformer: "sep_token_id", ModernBERT: "cls_token_id"}
    expected = {XLM: 9, Longformer: 8, ModernBERT: 6}
    assert kind not in others or getattr(config, others[kind]) == expected[kind]


@pytest.mark.parametrize(
    ("kind", "lacking", "sentence"),
    [
        (
            BERT,
            {"pad": None},
            "BERT: the tokenizer has no pad token, which this model needs; train one with tokenizer.spec",
        ),
        (BERT, {"mask": None}, "no mask token, which this model needs; train one with tokenizer.specials=bert"),
        (DistilBERT, {"cls": None, "bos": None}, "no bos, no cls token, .* tokenizer.specials=distilbert"),
        (RoBERTa, {"mask": None}, "no mask token, .* tokenizer.specials=roberta"),
        (Longformer, {"sep": None, "eos": None}, "no eos, no sep token, .* tokenizer.specials=roberta"),
        (XLM, {"mask": None}, "no mask token, .* tokenizer.specials=xlm"),
        (XLNet, {"mask": None}, "no mask token, .* tokenizer.specials=xlnet"),
        (BART, {"mask": None}, "no mask token, .* tokenizer.specials=bart"),
        (T5, {"pad": None}, "no pad token, .* tokenizer.specials=t5"),
        (Transformer, {"eos": None, "sep": None}, "no eos token, .* tokenizer.specials=marian"),
        (M2M100, {"bos": None, "cls": None}, "no bos token, .* tokenizer.specials=m2m100"),
    ],
)
def test_a_tokenizer_without_what_the_model_needs_is_a_sentence(
    kind: type[Scratch], lacking: dict[str, None], sentence: str, words: Any
) -> None:
    with pytest.raises(RecipeError, match=sentence):
        kind(**SIZES).build(words(**lacking))


@pytest.mark.parametrize(
    "kind", [BERT, DistilBERT, RoBERTa, XLM, XLNet, BART, T5, Transformer, M2M100, LUKE, ModernBERT, DeBERTaV3]
)
def test_a_tokenizer_of_the_family_has_what_the_model_needs(kind: type[Scratch]) -> None:
    model: Any = kind(**SIZES).build(Bytes(specials=kind.specials).build(None))  # type: ignore[arg-type]
    assert model.config.pad_token_id is not None


@pytest.mark.parametrize("kind", [RoBERTa, LUKE, Longformer, BERT, BART, T5, XLNet, XLM, GPT2])
def test_max_length_is_tokens_that_can_be_read(kind: type[Scratch], words: Any) -> None:
    model: Any = kind(**SIZES).build(words())
    assert readable(model.config) == 20
    assert first_position(model.config) == (4 if kind in (RoBERTa, LUKE, Longformer) else 0)
    ids = torch.randint(10, 50, (1, 20))
    given = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    model(input_ids=ids, **given)  # all of it, and where there is a table not one more
    if kind in (RoBERTa, LUKE, Longformer, BERT, XLM, GPT2):
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.randint(10, 50, (1, 21 if kind is not Longformer else 600)))


WRONG: list[tuple[Scratch, str, Any, str]] = [
    (T5(**SIZES), "num_decoder_layers", 5, "decoder_layers 5, not 2"),
    (T5(**SIZES), "d_ff", 64, "ffn"),
    (T5(**SIZES), "num_heads", 4, r"heads \[4\], not \[2\]"),
    (BART(**SIZES), "decoder_layers", 12, "decoder_layers 12, not 2"),
    (BART(**SIZES), "encoder_ffn_dim", 512, "ffn 512, not 128"),
    (BERT(**SIZES), "intermediate_size", 3072, "ffn 3072, not 128"),
    (BERT(**SIZES), "num_hidden_layers", 3, "layers 3, not 2"),
    (BERT(**SIZES), "max_position_embeddings", 10, "max_length 10, not 20 and positions 10, not 20"),
    (BERT(**SIZES), "vocab_size", 60, r"vocabulary and hidden \(60, 32\), not \(50, 32\)"),
    (BERT(**SIZES), "tie_word_embeddings", False, "tied False, not True"),
    (GPT3(**SIZES), "intermediate_size", 60, "ffn 60, not 128"),
    (Llama(**SIZES, kv_heads=1), "num_key_value_heads", 2, r"kv_heads \[2\], not \[1\]"),
    (Qwen3(**SIZES), "num_attention_heads", 4, r"heads \[4\], not \[2\]"),
    (Gemma3(**SIZES), "intermediate_size", 60, "ffn 60, not 96"),
]


@pytest.mark.parametrize(("asked", "name", "value", "sentence"), WRONG, ids=str)
def test_a_model_of_other_sizes_is_a_sentence(asked: Scratch, name: str, value: Any, sentence: str, words: Any) -> None:
    """As when a version of transformers reads an option no more: the config says something else."""
    from smolrecipes.architectures.heads import with_head
    from smolrecipes.architectures.sizes import check

    config = asked.config(words())
    setattr(config, name, value)
    with pytest.raises(
        RecipeError, match=f"{type(asked).__name__}: this version of transformers builds it with .*{sentence}"
    ):
        check(with_head(config, asked.head, 0), asked, 50)


def test_a_feed_forward_layer_may_be_narrow(words: Any) -> None:
    for kind in (BERT, GPT2, T5, Llama, ModernBERT):
        kind(**SIZES, ffn=16).build(words())


def test_a_size_that_is_not_named_is_not_checked(words: Any) -> None:
    model = GPT2(**SIZES).build(words())
    assert check_sizes(model, "GPT2", layers=2, hidden=32, vocabulary=50) is model


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: BERT(hidden=30, heads=4), "BERT: hidden=30 over heads=4 is 7.5 per head; it must be whole"),
        (
            lambda: Qwen3(hidden=30, heads=4, head_size=7),
            "Qwen3: head_size=7; rotary positions need a whole, even size",
        ),
        (lambda: BERT(attention="sdpaa"), "BERT.attention: should be 'sdpa', 'eager', 'flash_attention_2' or"),  # type: ignore[arg-type]
        (lambda: Causal("olmo2", attention="sdp"), "Causal.attention: should be 'sdpa', 'eager', 'flash_attention_2'"),  # type: ignore[arg-type]
        (lambda: GPT3(layers=3), "GPT3: layers=3; its blocks come in pairs, so take an even number"),
        (lambda: Longformer(window=5), "Longformer: window=5; half of it lies to each side"),
        (lambda: GPT(attention="sdpa"), "GPT.attention: should be 'eager', not 'sdpa'"),  # type: ignore[arg-type]
        (lambda: XLM(ffn=100), "XLM.ffn: should be None, not 100"),  # type: ignore[arg-type]
        (lambda: T5(tied=False), "T5.tied: should be True, not False"),  # type: ignore[arg-type]
    ],
)
def test_what_a_family_cannot_be_is_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(RecipeError) as found:
        make()
    assert str(found.value).startswith(sentence)


def test_windows_and_positions_are_where_they_were_asked_for(words: Any) -> None:
    assert SmolLM3(**{**SIZES, "layers": 4}, no_rope_every=2).build(words()).config.no_rope_layers == [1, 0, 1, 0]
    assert set(SmolLM3(**SIZES, no_rope_every=1).build(words()).config.no_rope_layers) == {0}
    assert set(SmolLM3(**SIZES, no_rope_every=0).build(words()).config.no_rope_layers) == {1}
    kinds: Any = Gemma3(**{**SIZES, "layers": 4}, full_every=2).build(words()).config.layer_types
    assert [kind == "full_attention" for kind in kinds] == [False, True, False, True]
    stretched: Any = Llama(**SIZES, rope_scaling="linear", rope_factor=4.0).build(words())
    plain: Any = Llama(**SIZES).build(words())
    torch.testing.assert_close(stretched.model.rotary_emb.inv_freq, plain.model.rotary_emb.inv_freq / 4)


@pytest.mark.parametrize("kind", [DistilBERT, XLM, Decoder])
def test_sines_are_not_trained_after_reloading_either(kind: Any, words: Any, tmp_path: Path) -> None:
    made = kind(**SIZES, positions="sinusoidal").build(words(), "causal" if kind is Decoder else "masked")
    made.save_pretrained(tmp_path)
    again = Pretrained(str(tmp_path)).build(words(), "causal" if kind is Decoder else "masked")
    fixed = [name for name, weight in again.named_parameters() if not weight.requires_grad]
    assert fixed == [name for name, weight in made.named_parameters() if not weight.requires_grad] and len(fixed) == 1


@pytest.mark.parametrize("kind", [DistilBERT, XLM])
def test_sines_are_not_trained(kind: Any, words: Any) -> None:
    for positions in ("sinusoidal", "learned"):
        model = kind(**SIZES, positions=positions).build(words())
        (table,) = [weight for name, weight in model.named_parameters() if "position_embeddings" in name]
        assert table.requires_grad is (positions == "learned")
        assert bool((table[0, :2] == torch.tensor([0.0, 0.0])).any()) is (positions == "sinusoidal")
        assert model.get_input_embeddings().weight.requires_grad


def test_llama_and_gpt2_keep_their_fingerprints() -> None:
    """Runs that were made before they shared their options are found again."""
    assert [Llama().fingerprint(), GPT2().fingerprint()] == ["e8604eb0a344eba8", "bf29b4d909a44fce"]
    assert Llama(hidden=64, heads=2, max_length=99, tied=False).fingerprint() == "2e2a116db55825aa"
    assert GPT2(hidden=64, heads=2, max_length=99, tied=False).fingerprint() == "064c8244ebdbce16"
    assert Llama(rope_scaling="yarn").fingerprint() != Llama().fingerprint()


def test_options_come_in_one_order() -> None:
    sizes = ["layers", "hidden", "heads", "ffn", "max_length"]
    assert list(GPT2.options()) == [*sizes, "dropout", "activation", "tied", "init_std", "attention"]
    for kind in (BERT, LUKE, T5, Qwen3):
        names = list(kind.options())
        assert [name for name in names if name in sizes] == sizes
        assert names[-3:] == ["tied", "init_std", "attention"]
