"""Decoder: one decoder whatever its positions, and positions that are those asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from smolrecipes import Decoder, RecipeError
from smolrecipes.architectures.decoder import sines


class Words(SimpleNamespace):
    """As much of a tokenizer as an architecture reads."""

    def __len__(self) -> int:
        return 50


TOKENIZER: Any = Words(pad_token_id=0, bos_token_id=None, eos_token_id=1)
SIZES: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 4, "max_length": 16, "init_std": 0.3}
PARTS = {
    "attn.c_attn": "query_key_value",
    "attn.c_proj": "dense",
    "mlp.c_fc": "dense_h_to_4h",
    "mlp.c_proj": "dense_4h_to_h",
}


def built(positions: str) -> Any:
    torch.manual_seed(0)
    return Decoder(positions=positions, **SIZES).build(TOKENIZER).eval()  # type: ignore[arg-type]


@torch.no_grad()
def copy_blocks(theirs: Any, blocks: Any) -> None:
    """GPT-2's weights in the blocks of GPT-NeoX or BLOOM, whose queries, keys and values lie head by head."""
    for old, new in zip(theirs.h, blocks):
        for name, other in (("ln_1", "input_layernorm"), ("ln_2", "post_attention_layernorm")):
            getattr(new, other).load_state_dict(getattr(old, name).state_dict())
        for name, other in PARTS.items():
            part = next(layer for path, layer in new.named_modules() if path.endswith(f".{other}"))
            weight, bias = old.get_submodule(name).weight.T, old.get_submodule(name).bias
            if other == "query_key_value":
                weight = weight.view(3, 4, 8, 32).transpose(0, 1).reshape(96, 32)
                bias = bias.view(3, 4, 8).transpose(0, 1).reshape(96)
            part.weight.copy_(weight), part.bias.copy_(bias)


def hidden(body: Any, ids: Tensor, **more: Tensor) -> Tensor:
    with torch.no_grad():
        return body(ids, **more).last_hidden_state  # type: ignore[no-any-return]


def test_without_its_positions_rotary_is_the_same_decoder() -> None:
    none, rotary = built("none").transformer, built("rotary").gpt_neox
    copy_blocks(none, rotary.layers)
    rotary.embed_in.load_state_dict(none.wte.state_dict())
    rotary.final_layer_norm.load_state_dict(none.ln_f.state_dict())
    ids = torch.randint(2, 50, (2, 9))
    at_zero = torch.zeros_like(ids)  # where nothing is turned
    torch.testing.assert_close(hidden(rotary, ids, position_ids=at_zero), hidden(none, ids), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(hidden(rotary, ids), hidden(none, ids), atol=1e-2)


def test_without_a_distance_alibi_is_the_same_decoder_on_normed_embeddings() -> None:
    none, alibi = built("none").transformer, built("alibi").transformer
    copy_blocks(none, alibi.h)
    alibi.ln_f.load_state_dict(none.ln_f.state_dict())
    alibi.word_embeddings.load_state_dict(none.wte.state_dict())
    ids = torch.randint(2, 50, (5, 1))
    with torch.no_grad():
        none.wte.weight.copy_(torch.nn.functional.layer_norm(none.wte.weight, (32,)) * 0.3)
    torch.testing.assert_close(hidden(alibi, ids), hidden(none, ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary", "alibi", "none"])
def test_order_is_seen_with_positions_and_what_is_saved_reloads(positions: str, tmp_path: Path) -> None:
    """The last of three tokens, of which the first two change places in a model of one layer."""
    torch.manual_seed(0)
    model: Any = Decoder(positions=positions, **{**SIZES, "layers": 1}).build(TOKENIZER).eval()  # type: ignore[arg-type]
    one, other = (model(torch.tensor([ids])).logits[0, -1] for ids in ([5, 9, 7], [9, 5, 7]))
    assert torch.allclose(one, other, atol=1e-5) is (positions == "none")
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(again(torch.tensor([[5, 9, 7]])).logits[0, -1], one)


def test_all_start_alike() -> None:
    """As GPT-2: 0.3, and the projections into the stream divided by sqrt(2 layers); embeddings enter at 0.3 everywhere."""
    normed = built("alibi").transformer
    entering = normed.word_embeddings_layernorm(normed.word_embeddings.weight)
    assert float(entering.detach().std()) == pytest.approx(0.3, rel=0.05)
    for positions in ("learned", "rotary", "alibi"):
        for name, weight in built(positions).named_parameters():
            if name.endswith(("dense.weight", "dense_4h_to_h.weight", "c_proj.weight")):
                assert float(weight.detach().std()) == pytest.approx(0.15, rel=0.1), name
            elif weight.dim() > 1:
                assert float(weight.detach().std()) == pytest.approx(0.3, rel=0.1), name


def test_tables_that_are_not_learned_are_not_trained() -> None:
    for positions in ("sinusoidal", "none"):
        model = built(positions)
        model(torch.tensor([[2, 3, 4]]), labels=torch.tensor([[2, 3, 4]])).loss.backward()
        table = model.transformer.wpe.weight
        assert table.grad is None and not table.requires_grad
        assert bool(table.any()) is (positions == "sinusoidal")
    assert built("learned").transformer.wpe.weight.requires_grad


def test_sines_are_those_of_the_paper() -> None:
    table = sines(4, 6)
    assert table[3, 2] == pytest.approx(torch.sin(torch.tensor(3 / 10_000 ** (2 / 6))))
    assert table[3, 3] == pytest.approx(torch.cos(torch.tensor(3 / 10_000 ** (2 / 6))))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"positions": "alibi", "attention": "sdpa"}, "Decoder: transformers computes alibi without sdpa; leave out"),
        ({"positions": "alibi", "ffn": 100}, "Decoder: with alibi the feed-forward layer is 4 times"),
        ({"positions": "rotary", "hidden": 9, "heads": 3}, "Decoder: rotary positions need heads of an even size, not 3"),
        ({"positions": "relative"}, "Decoder.positions: should be 'learned', 'sinusoidal', 'rotary', 'alibi' or 'none'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError) as found:
        Decoder(**given)
    assert str(found.value).startswith(sentence)
