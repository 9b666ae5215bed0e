"""The comparison itself: what is read, what counts as the same, what a certificate says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finished import SIZES

from smolrecipes import BART, GGUF, GPT2, ByteBPE, Infilling, RecipeError, SafeTensors
from smolrecipes.exporters import outputs, parity
from smolrecipes.exporters.certificate import Certificate
from smolrecipes.exporters.parity import NEW, Steps
from smolrecipes.exporters.reading import Words, writable
from smolrecipes.exporters.trained import as_trained

FINE: dict[str, Any] = {
    "deliverable": "it", "same_ids": 3, "texts": 3, "same_renderings": 2, "conversations": 2, "refused": 0,
    "mean_gap": 1e-6, "largest_gap": 1e-5, "positions": 100, "same_tokens": 100, "tied_tokens": 0, "tokens": 100,
}  # fmt: skip


def figures(deliverable: Path) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(deliverable.with_name(f"{deliverable.name}.parity.json").read_text())
    return found[-1]


def test_prompts_end_where_learned_positions_do(made: Any) -> None:
    """A text of 98 tokens was read by a model of 64 positions: IndexError."""
    bart = BART(**{**SIZES, "max_length": 64})
    run = made(bart, tokenizer=ByteBPE(vocab_size=400, specials="bart"), objective=Infilling(), head="seq2seq")
    assert figures(SafeTensors().export(run))["holds"]


@pytest.mark.parametrize("positions", [8, 20, 64])
def test_prompts_leave_room_for_an_answer(made: Any, positions: int) -> None:
    """Below 24 positions the cut was negative, and the prompt was read whole."""
    run = made(GPT2(**{**SIZES, "max_length": positions}))
    asked = parity.prompts(run, *as_trained(run))
    assert max(len(prompt) for prompt in asked) == positions - min(NEW, positions // 2)
    if positions == 20:
        assert figures(GGUF("f32").export(run))["tokens"] > len(asked)


@pytest.mark.parametrize(
    ("form", "changed", "problem"),
    [
        ("f32", {}, ""),
        ("f32", {"same_tokens": 99}, "it writes 1 of 100 tokens otherwise, and 0% is what rounding may cost"),
        ("f32", {"same_tokens": 99, "tied_tokens": 1}, ""),
        ("q8_0", {"same_tokens": 91}, ""),
        ("q8_0", {"same_tokens": 0}, "it writes 100 of 100 tokens otherwise, and 10% is what"),
        ("q8_0", {"positions": 0, "mean_gap": float("nan")}, "it told no log-probability that could be compared"),
        ("q8_0", {"mean_gap": float("nan")}, "nan nats away"),
    ],
)
def test_what_fails_an_export(form: str, changed: dict[str, Any], problem: str) -> None:
    found = Certificate(**{**FINE, **changed}, form=form).problem
    assert problem in found and bool(found) == bool(problem)


def test_a_token_as_likely_as_the_trained_models_own_is_tied() -> None:
    import torch

    steps = Steps(tie=0.01)
    steps.choose(torch.tensor([[-1.0, -1.005, -3.0]] * 3), torch.tensor([0, 1, 2]))
    assert (steps.same, steps.tied, steps.tokens) == (1, 1, 3)


def test_a_folder_that_writes_otherwise_fails(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder for transformers nothing was written."""
    plain, asked = outputs._written, [0]

    def otherwise(*given: Any) -> Any:
        asked[0] += 1
        tokens, rows = plain(*given)
        return (tokens, rows) if asked[0] % 2 else ((tokens + 1) % rows.shape[-1], rows)

    run = made()
    assert figures(SafeTensors().export(run))["tokens"] > 100
    monkeypatch.setattr(outputs, "_written", otherwise)
    with pytest.raises(RecipeError, match="it writes .* tokens otherwise"):
        SafeTensors().export(run)


def test_two_models_are_compared_until_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    written = {"own": [5, 6, 7, 8], "other": [5, 6, 9, 8, 1], "shorter": [5, 6]}
    monkeypatch.setattr(outputs, "_written", lambda model, *_: (torch.tensor(written[model]), torch.zeros(4, 10)))
    for other, tokens in (("other", [5, 6, 9]), ("own", [5, 6, 7, 8]), ("shorter", [5, 6])):
        rows, found = outputs.both_write("own", other, None, [1], 4)
        assert found.tolist() == tokens and len(rows) == len(tokens)


def test_a_model_that_finds_nothing_likely_is_compared_too(made: Any) -> None:
    """Where no token had a hundredth, the gap was nan, and the export failed."""
    run = made()
    model, _ = as_trained(run)
    for weight in model.parameters():
        weight.data.zero_()
    model.save_pretrained(run.model)
    for exporter in (SafeTensors(), GGUF("f32")):
        found = figures(exporter.export(run))
        assert found["holds"] and found["mean_gap"] < 1e-5 and found["positions"] > 0


def test_a_call_and_its_answer_are_rendered_where_the_template_has_them(made: Any) -> None:
    def told(template: str) -> list[Any]:
        tokenizer = as_trained(made(template=template))[1]
        return [messages for messages, _ in writable(Words(tokenizer))]

    assert {"tool"} <= {message["role"] for message in told("chatml")[-1]}
    assert len(told("plain")) == 3 and len(told("chatml")) == 5


def test_a_template_that_refuses_all_is_not_none() -> None:
    def said(**changed: int) -> str:
        return Certificate(**{**FINE, "same_renderings": 0, **changed}, form="f32").sentence()

    assert "a template that refuses all 5 conversations" in said(conversations=0, refused=5)
    assert "no template" in said(conversations=0)
    assert "2/3 conversations rendered alike (2 refused by the template)" in said(
        same_renderings=2, conversations=3, refused=2
    )
