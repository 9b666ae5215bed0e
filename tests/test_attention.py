"""Packed equals alone: log-probabilities and gradients, past windows, with prompts shared, for every type that packs."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel

from smolrecipes import Decoder, Gemma3, Qwen3, SmolLM3, attention, kernels
from smolrecipes.architectures.pretrained import PACKS, PACKS_BOTH_WAYS
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.sizes import first_position
from smolrecipes.attention import KERNELS, NAME, How, packed_attention
from smolrecipes.kinds import Layout
from smolrecipes.objectives.forward import read_by, token_logps
from smolrecipes.objectives.layout import Sequence
from smolrecipes.spans import Span, Spans

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
        return ours(**read_by(layout(some), ours)).last_hidden_state[0]

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


def test_two_passes_over_a_batch_share_what_kernels_need() -> None:
    spans, meta = pairs([(5, 3, 4)]), torch.device("meta")
    assert spans.to(meta) is spans.to(meta) and spans.to(meta).positions.device == meta
    assert spans.to(torch.device("cpu")) is spans


@pytest.mark.parametrize("kind", sorted(PACKS))
def test_the_kernel_is_known_before_the_first_step(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(kernels, "backend", lambda *given: asked.append(given) or "flex")
    cuda = torch.device("cuda")
    assert kernels.kernel(model(kind), SimpleNamespace(device=cuda, bf16=False, fp16=False)) == "flex"
    assert asked[0][:3] == (cuda, torch.float32, 8)


@pytest.mark.parametrize(
    ("dtype", "size", "capability", "dropout", "taken"),
    [
        (torch.bfloat16, 64, (8, 0), 0.0, "flash, varlen, flex"),
        (torch.bfloat16, 64, (8, 0), 0.1, "flash, sdpa, sdpa"),
        (torch.bfloat16, 64, (7, 5), 0.0, "flex, flex, flex"),
        (torch.float16, 64, (7, 5), 0.1, "sdpa, sdpa, sdpa"),
        (torch.float32, 64, (9, 0), 0.0, "flex, flex, flex"),
        (torch.bfloat16, 320, (9, 0), 0.0, "flex, flex, flex"),
        (torch.bfloat16, 20, (9, 0), 0.0, "flash, flex, flex"),
        (torch.bfloat16, 8, (9, 0), 0.0, "flash, varlen, sdpa"),
        (torch.bfloat16, 12, (9, 0), 0.0, "flash, sdpa, sdpa"),
        (torch.float32, 8, (9, 0), 0.0, "sdpa, sdpa, sdpa"),
    ],
)
def test_the_kernel_fits_the_heads_and_the_gpu(
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    size: int,
    capability: tuple[int, int],
    dropout: float,
    taken: str,
) -> None:
    """Where flash-attn is installed, where torch has its own kernel, and where there is neither."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    found = []
    for flash, own in ((True, True), (False, True), (False, False)):
        monkeypatch.setattr(attention, "_flash_is_installed", partial(bool, flash))
        monkeypatch.setattr(attention, "_varlen_is_there", partial(bool, own))
        found.append(attention.backend(torch.device("cuda"), dtype, size, dropout))
    assert found == taken.split(", ")


def test_a_folder_is_not_flash_attn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = attention._flash_is_installed.__wrapped__
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "flash_attn").mkdir()
    assert not probe()
    (tmp_path / "flash_attn" / "__init__.py").touch()
    importlib.invalidate_caches()
    assert probe()


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


def pairs(sizes: list[tuple[int, int, int]]) -> Spans:
    """(prompt, chosen, rejected) each: the rejected answer sees the prompt of the chosen one."""
    spans, positions, at = [], [], 0
    for prompt, chosen, rejected in sizes:
        spans += [Span(at, at + prompt + chosen)]
        positions += [*range(prompt + chosen), *range(prompt, prompt + rejected)]
        if rejected:
            spans += [Span(at + prompt + chosen, at + prompt + chosen + rejected, at, at + prompt)]
        at += prompt + chosen + rejected
    return Spans(spans, torch.tensor(positions))


def seen(packed: Spans, causal: bool, window: int | None) -> torch.Tensor:
    """(tokens, tokens): which keys each query sees."""
    far = packed.positions[:, None] - packed.positions
    mask = torch.zeros_like(far, dtype=torch.bool)
    for span in packed.spans:
        for first, end in ((span.prefix, span.prefix_end), (span.start, span.end)):
            mask[span.start : span.end, first:end] = True
    return mask & (far >= 0 if causal else far == far) & ((far if causal else far.abs()) < (window or len(far)))


def varlen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor,
    longest_query: int, longest_key: int, dropout: float = 0.0, scale: float | None = None, causal: bool = False,
    *, window_size: tuple[int, int] = (-1, -1),
) -> torch.Tensor:  # fmt: skip
    """What flash-attn's varlen kernel and torch's say that they compute: masks are aligned at the last query and key."""
    assert longest_query == max(queries.diff()) and longest_key == max(keys.diff())
    left, right = (window_size[0], 0) if causal else window_size
    groups, parts = query.shape[1] // key.shape[1], []
    for (q0, q1), (k0, k1) in zip(zip(queries, queries[1:]), zip(keys, keys[1:])):
        at = torch.arange(q1 - q0)[:, None] + (k1 - k0) - (q1 - q0)
        far = at - torch.arange(k1 - k0)
        mask = (far <= left if left >= 0 else far == far) & (far >= -right if right >= 0 else far == far)
        q, k, v = (part.transpose(0, 1) for part in (query[q0:q1], key[k0:k1], value[k0:k1]))
        k, v = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
        parts.append(torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, scale=scale).transpose(0, 1))
    return torch.cat(parts)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two kernels that need a GPU."""
    torchs = pytest.importorskip("torch.nn.attention.varlen")
    flash = ModuleType("flash_attn")
    flash.flash_attn_varlen_func = varlen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", flash)
    monkeypatch.setattr(torchs, "varlen_attn", varlen)


@pytest.mark.usefixtures("stand_ins")
@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6), st.integers(0, 7)), min_size=1, max_size=4),
    window=st.none() | st.integers(1, 5),
    causal=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_kernels_see_the_same(sizes: list[tuple[int, int, int]], window: int | None, causal: bool) -> None:
    """For each (prompt, chosen, rejected): sequences with a shared prefix against a dense mask."""
    packed = pairs(sizes)
    at = len(packed.positions)
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 4, at, 8), torch.randn(1, 2, at, 8), torch.randn(1, 2, at, 8)
    mask = seen(packed, causal, window)
    wide = (tensor.repeat_interleave(2, 1) for tensor in (key, value))
    expected = torch.nn.functional.scaled_dot_product_attention(query, *wide, attn_mask=mask).transpose(1, 2)
    for name in KERNELS:
        found = KERNELS[name](query, key, value, packed, How(0.0, None, window, causal))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 100, 300])
def test_no_block_that_is_seen_is_missing(causal: bool, window: int | None) -> None:
    """Against the dense mask; what FlexAttention's own search finds, where no window makes ours look at a little more."""
    flex = pytest.importorskip("torch.nn.attention.flex_attention")
    packed = pairs([(90, 200, 150), (300, 41, 7), (5, 600, 2)])
    mask, size = seen(packed, causal, window), len(packed.positions)
    count = -(-size // 128)
    padded = torch.nn.functional.pad(mask, (0, count * 128 - size, 0, count * 128 - size))
    tiles = padded.view(count, 128, count, 128).transpose(1, 2).flatten(2)
    some, whole = map(torch.from_numpy, packed.blocks(causal, window))
    assert not (tiles.any(2) & ~(some | whole)).any() and not (whole & ~tiles.all(2)).any()
    assert (some | whole).sum() <= 1.2 * tiles.any(2).sum() + 4 and bool(whole.any()) == (window != 100)
    made = packed.block_mask(causal, window)
    assert torch.equal(made.to_dense()[0, 0].bool(), some | whole)
    assert torch.equal(flex.create_mask(made.mask_mod, None, None, size, size, "cpu")[0, 0], mask)


def test_autocast_reaches_every_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotary positions make queries and keys float32 again, which only SDPA forgives."""
    types: list[torch.dtype] = []

    def kernel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any) -> torch.Tensor:
        types.extend((query.dtype, key.dtype, value.dtype))
        return query.transpose(1, 2)

    monkeypatch.setitem(attention.KERNELS, "sdpa", kernel)
    ours = model("llama")
    ours.set_attn_implementation(NAME)
    with torch.autocast("cpu", torch.bfloat16):
        token_logps(ours, Layout(packed=True)(sequences()))
    assert set(types) == {torch.bfloat16} and len(types) == 6


@pytest.mark.parametrize("window", [None, 3])
def test_the_mask_changes_nothing_in_place(window: int | None) -> None:
    """FlexAttention's kernels cannot be compiled from such a mask, and without a GPU nothing else would tell."""
    from torch.fx.experimental.proxy_tensor import make_fx

    mask, at = pairs([(5, 3, 4)]).block_mask(True, window).mask_mod, torch.arange(4)
    traced = make_fx(mask)(at, at, at, at)  # type: ignore[no-untyped-call]
    operations = [node.target for node in traced.graph.nodes if node.op == "call_function"]
    assert len(operations) > 8 and not [one for one in operations if one._schema.is_mutable]
