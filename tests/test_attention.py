"""Packed equals alone: log-probabilities and gradients, past windows, with prompts shared, for every type that packs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel

from smolrecipes import Decoder, Gemma3, Qwen3, SmolLM3
from smolrecipes.architectures.pretrained import PACKS, PACKS_BOTH_WAYS
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.sizes import first_position
from smolrecipes.attention import NAME, Span, Spans, packed_attention
from smolrecipes.kinds import Layout
from smolrecipes.objectives.forward import token_logps
from smolrecipes.objectives.layout import Sequence

SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "sliding_window": 4,
}  # fmt: skip
OWN = {
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention"]},
    "gpt2": {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0},
}


def model(kind: str) -> PreTrainedModel:
    torch.manual_seed(0)
    own = OWN.get(kind, {})
    made: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SIZES, **own})).eval()
    for parameter in made.parameters():  # larger than the usual start, so that attention is far from uniform
        torch.nn.init.normal_(parameter, std=0.3) if parameter.dim() > 1 else None
    return made


def sequences() -> list[Sequence]:
    """Two prompts with two answers each: longer than the window, the second answers share the prompts."""
    torch.manual_seed(1)
    made = []
    prompts = [torch.randint(3, 97, (n,)).tolist() for n in (5, 9)]
    for side, sizes in enumerate([(11, 1), (7, 13)]):
        for index, (prompt, size) in enumerate(zip(prompts, sizes)):
            said = torch.randint(3, 97, (size,)).tolist()
            shares = (index, len(prompt)) if side else (0, 0)
            made.append(Sequence(prompt + said, [-100] * len(prompt) + said, shares))
    return made


def slopes(of: PreTrainedModel, logps: torch.Tensor) -> dict[str, torch.Tensor]:
    of.zero_grad()
    (logps * torch.arange(1, len(logps) + 1)).sum().backward()
    return {name: p.grad.clone() for name, p in of.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("kind", "checkpointing"), [*((kind, False) for kind in sorted(PACKS)), ("llama", True), ("gpt2", True)]
)
def test_packed_equals_alone(kind: str, checkpointing: bool) -> None:
    ours = model(kind)
    alone = torch.cat([token_logps(ours, Layout()([one._replace(shares=(0, 0))]))[0] for one in sequences()])
    expected = slopes(ours, alone)
    ours.set_attn_implementation(NAME)
    if checkpointing:
        ours.train()
        ours.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    batch = Layout(packed=True)(sequences())
    assert batch["input_ids"].shape[1] == sum(len(s.ids) - 1 - s.shares[1] for s in sequences())
    packed, rows = token_logps(ours, batch)
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    assert rows.tolist() == [i for i, s in enumerate(sequences()) for label in s.labels if label != -100]
    found, scale = slopes(ours, packed), 1e-5 * max(float(slope.norm()) for slope in expected.values())
    assert found.keys() == expected.keys()
    for name, slope in expected.items():
        torch.testing.assert_close(found[name], slope, rtol=1e-4, atol=scale, msg=name)


def encoder(kind: str) -> PreTrainedModel:
    torch.manual_seed(0)
    windows = {"modernbert": {"local_attention": 4, "layer_types": ["full_attention", "sliding_attention"]}}
    sizes = {
        key: value for key, value in SIZES.items() if key not in ("num_key_value_heads", "head_dim", "sliding_window")
    }
    sizes |= {"hidden_dim": 48, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "dropout": 0, "attention_dropout": 0,
              "pad_token_id": 2, "cls_token_id": 1, "sep_token_id": 2, **windows.get(kind, {})}  # fmt: skip
    made: PreTrainedModel = AutoModel.from_config(AutoConfig.for_model(kind, **sizes)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3) if parameter.dim() > 1 else None
    return made


@pytest.mark.parametrize(
    ("kind", "checkpointing"), [*((kind, False) for kind in sorted(PACKS_BOTH_WAYS)), ("bert", True)]
)
def test_packed_equals_alone_both_ways(kind: str, checkpointing: bool) -> None:
    """Encoders: what each position becomes, and the gradients of a sum over it."""
    ours, texts = encoder(kind), [one._replace(shares=(0, 0)) for one in sequences()]
    first = first_position(ours.config)
    assert first == (3 if kind == "roberta" else 0)

    def hidden(layout: Layout, some: list[Sequence]) -> torch.Tensor:
        batch = layout(some)
        given = {name: batch[name] for name in ("input_ids", "position_ids", "spans") if name in batch}
        return ours(**given).last_hidden_state[0]

    alone = torch.cat([hidden(Layout(2), [one]) for one in texts])
    weights = torch.randn(alone.shape)
    expected = slopes(ours, (alone * weights).sum(1))
    ours.set_attn_implementation(NAME)
    if checkpointing:
        ours.train()
        ours.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    packed = hidden(Layout(2, packed=True, first=first), texts)
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    found, scale = (
        slopes(ours, (packed * weights).sum(1)),
        1e-5 * max(float(slope.norm()) for slope in expected.values()),
    )
    assert found.keys() == expected.keys()
    for name, slope in expected.items():
        torch.testing.assert_close(found[name], slope, rtol=1e-4, atol=scale, msg=name)


SMALL: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2, "max_length": 32}


@pytest.mark.parametrize(
    "ours",
    [SmolLM3(no_rope_every=1, **SMALL), Gemma3(window=4, full_every=2, **SMALL), Qwen3(kv_heads=1, **SMALL),
     *(Decoder(positions=kind, **SMALL) for kind in ("learned", "sinusoidal", "rotary", "none"))],
    ids=repr,
)  # fmt: skip
def test_what_is_built_packed_equals_alone(ours: Scratch) -> None:
    tokenizer: Any = type(
        "Words", (), {"__len__": lambda self: 97, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    )()
    built = ours.build(tokenizer).eval()
    with torch.no_grad():
        for weight in built.parameters():
            weight *= 3 if weight.requires_grad else 1  # far from uniform attention
    assert ours.packs(built)
    alone = torch.cat([token_logps(built, Layout()([one._replace(shares=(0, 0))]))[0] for one in sequences()])
    built.set_attn_implementation(NAME)
    torch.testing.assert_close(token_logps(built, Layout(packed=True)(sequences()))[0], alone, rtol=1e-5, atol=1e-5)


def test_a_sequence_sees_nothing_of_its_neighbours() -> None:
    ours = model("llama")
    ours.set_attn_implementation(NAME)
    one, other = sequences()[:2]
    changed = other._replace(ids=[5] * len(other.ids))
    first, second = (token_logps(ours, Layout(packed=True)([one, two])) for two in (other, changed))
    assert torch.equal(first[0][first[1] == 0], second[0][second[1] == 0])


def test_generation_is_that_of_sdpa() -> None:
    ours, ids = model("llama"), torch.tensor([[3, 4, 5, 6], [0, 0, 7, 8]])
    settings = {"max_new_tokens": 8, "do_sample": False, "attention_mask": ids.ne(0).long()}
    before = ours.generate(ids, **settings)
    ours.set_attn_implementation(NAME)
    assert torch.equal(ours.generate(ids, **settings), before)


def test_what_the_kernels_cannot_do_is_refused() -> None:
    query, spans = torch.zeros(1, 1, 2, 4), Spans([Span(0, 2)], torch.arange(2))
    with pytest.raises(NotImplementedError, match="no softcap, which Linear asks for"):
        packed_attention(torch.nn.Linear(1, 1), query, query, query, None, spans=spans, softcap=1.0)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6), st.integers(0, 7)), min_size=1, max_size=4),
    window=st.none() | st.integers(1, 5),
    causal=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_all_kernels_see_the_same(sizes: list[tuple[int, int, int]], window: int | None, causal: bool) -> None:
    """For each (prompt, chosen, rejected): sequences with a shared prefix against a dense mask, by SDPA and by flex."""
    from smolrecipes.attention import KERNELS

    spans, positions, at = [], [], 0
    for prompt, chosen, rejected in sizes:
        spans += [Span(at, at + prompt + chosen)]
        positions += [*range(prompt + chosen), *range(prompt, prompt + rejected)]
        if rejected:
            spans += [Span(at + prompt + chosen, at + prompt + chosen + rejected, at, at + prompt)]
        at += prompt + chosen + rejected
    packed = Spans(spans, torch.tensor(positions))
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 4, at, 8), torch.randn(1, 2, at, 8), torch.randn(1, 2, at, 8)
    mask = torch.zeros(at, at, dtype=torch.bool)
    for span in spans:
        for query_at in range(span.start, span.end):
            for k in [*range(span.prefix, span.prefix_end), *range(span.start, span.end)]:
                far = positions[query_at] - positions[k]
                mask[query_at, k] = (not causal or far >= 0) and (
                    window is None or (far if causal else abs(far)) < window
                )
    wide = (tensor.repeat_interleave(2, 1) for tensor in (key, value))
    expected = torch.nn.functional.scaled_dot_product_attention(query, *wide, attn_mask=mask).transpose(1, 2)
    for name in ("sdpa", "flex"):
        found = KERNELS[name](query, key, value, packed, 0.0, None, window, causal)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, msg=name)
