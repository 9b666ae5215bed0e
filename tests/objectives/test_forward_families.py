"""One forward for every family: the labels' likelihood and its gradients equal those of the model's own logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import ALL, TOKENIZER, VOCABULARY
from torch import Tensor

from smolrecipes import Scratch
from smolrecipes.architectures.sizes import first_position
from smolrecipes.attention import NAME
from smolrecipes.kinds import Layout
from smolrecipes.objectives.forward import head_is_plain, token_logps, token_nll
from smolrecipes.objectives.layout import Sequence

MASKED = [model for model in ALL if model.family == "encoder" and model.name not in ("xlnet",)]
BOTH = [model for model in ALL if model.family == "encoder-decoder"]


def texts(sizes: tuple[int, ...] = (9, 5, 12)) -> list[Any]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randint(5, VOCABULARY, (n,), generator=draw) for n in sizes]


def masked(model: Scratch) -> list[Sequence]:
    """Texts with a label at every third place; one has none."""
    made = []
    for row, ids in enumerate(texts()):
        labels = torch.where((torch.arange(len(ids)) % 3 == 0) & (row != 1), ids, -100)
        types = (torch.arange(len(ids)) > 3).long().tolist() if model.name == "bert" else None
        made.append(Sequence(ids.tolist(), labels.tolist(), types=types))
    return made


def built(model: Scratch, head: str) -> Any:
    torch.manual_seed(0)
    made: Any = model.build(TOKENIZER, head).eval()
    for weight in made.parameters():  # larger than the usual start, so that nothing is hidden by small numbers
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 and weight.requires_grad else None
    return made


def slopes(model: Any, value: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    value.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def check(model: Any, batch: dict[str, Any], names: tuple[str, ...]) -> None:
    logits = model(**{name: batch[name] for name in names if name in batch}).logits.flatten(0, 1)[batch["at"]]
    theirs = logits.log_softmax(-1).gather(-1, batch["labels"][:, None]).squeeze(-1)
    expected = slopes(model, theirs.sum())
    assert head_is_plain(model)
    ours, rows = token_logps(model, batch)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert rows.tolist() == batch["rows"].tolist()
    for found in (slopes(model, ours.sum()), slopes(model, -token_nll(model, batch))):
        assert found.keys() == expected.keys()
        near = 1e-5 * max(float(slope.norm()) for slope in expected.values())
        for name, slope in expected.items():
            torch.testing.assert_close(found[name], slope, rtol=1e-4, atol=near, msg=name)


@pytest.mark.parametrize("model", MASKED, ids=str)
def test_hidden_words(model: Scratch) -> None:
    batch = Layout()(masked(model), causal=False)
    assert batch["at"].tolist() == [0, 3, 6, 24, 27, 30, 33] and batch["input_tokens"] == 26
    check(built(model, "masked"), batch, ("input_ids", "attention_mask", "token_type_ids"))


@pytest.mark.parametrize("model", [model for model in MASKED if model.exact], ids=str)
def test_packed_hidden_words(model: Scratch) -> None:
    made, rows = built(model, "masked"), masked(model)
    expected = token_logps(made, Layout()(rows, causal=False))[0]
    made.set_attn_implementation(NAME)
    batch = Layout(packed=True, first=first_position(made.config))(rows, causal=False)
    assert batch["input_ids"].shape == (1, 26)
    torch.testing.assert_close(token_logps(made, batch)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", BOTH, ids=str)
def test_sources_and_targets(model: Scratch) -> None:
    made = built(model, "seq2seq")
    start = made.config.decoder_start_token_id
    sources, targets = texts(), texts((4, 7, 1))
    batch = Layout(start_id=start).pairs(sources, targets)
    assert batch["decoder_input_ids"][0].tolist() == [start, *targets[0][:3].tolist(), 0, 0, 0]
    assert batch["labels"].tolist() == torch.cat(targets).tolist() and batch["input_tokens"] == 26 + 12
    check(made, batch, ("input_ids", "attention_mask", "decoder_input_ids"))


@pytest.mark.parametrize("model", BOTH, ids=str)
def test_padding_changes_nothing(model: Scratch) -> None:
    made, (sources, targets) = built(model, "seq2seq"), (texts(), texts((4, 7, 1)))
    layout = Layout(start_id=made.config.decoder_start_token_id)
    alone = torch.cat([token_logps(made, layout.pairs([s], [t]))[0] for s, t in zip(sources, targets)])
    torch.testing.assert_close(token_logps(made, layout.pairs(sources, targets))[0], alone, rtol=1e-5, atol=1e-5)
