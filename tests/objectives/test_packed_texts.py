"""Texts side by side are answered as alone, with the same gradients, by every type that packs; by others they are padded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from transformers import AutoConfig, PreTrainedModel

from smolrecipes import (
    BERT,
    MLMNSP,
    Classification,
    Layout,
    LoRA,
    ModernBERT,
    MultipleChoice,
    Recipe,
    Regression,
    Toy,
    Training,
    attention,
    kernels,
)
from smolrecipes.architectures.heads import class_name, reads_both_ways
from smolrecipes.architectures.pretrained import PACKS, PACKS_BOTH_WAYS
from smolrecipes.architectures.sizes import first_position
from smolrecipes.attention import NAME
from smolrecipes.build import build_model, choose_layout
from smolrecipes.callbacks.flops import read_pass
from smolrecipes.objectives.tasks import answered, packs_texts
from smolrecipes.tokenizers.byte_bpe import ByteBPE

if TYPE_CHECKING:
    from smolrecipes.kinds import AnswersFor

SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 64, "pad_token_id": 2, "bos_token_id": 1, "eos_token_id": 2, "num_labels": 3,
    **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "resid_pdrop",
                     "embd_pdrop", "attn_pdrop", "classifier_dropout", "seq_classif_dropout", "summary_last_dropout"), 0.0),
}  # fmt: skip
BOTH_WAYS = {"hidden_dim": 48, "cls_token_id": 1, "sep_token_id": 2}
ONE_WAY = {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 4}
OWN = {
    "modernbert": {"local_attention": 4, "layer_types": ["full_attention", "sliding_attention"]},
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention"]},
}
HEADS: dict[AnswersFor, str] = {"text": "sequence-classification", "choice": "multiple-choice"}
CASES = [
    (kind, of)
    for kind in sorted(PACKS | PACKS_BOTH_WAYS)
    for of, head in HEADS.items()
    if class_name(kind, head) and (of == "text" or kind in PACKS_BOTH_WAYS)
]


def model(kind: str, of: AnswersFor, **own: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {**SIZES, **(BOTH_WAYS if kind in PACKS_BOTH_WAYS else ONE_WAY), **OWN.get(kind, {}), **own}
    head = getattr(transformers, class_name(kind, HEADS[of]) or "")
    made: PreTrainedModel = head(AutoConfig.for_model(kind, **sizes)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3) if parameter.dim() > 1 else None
    return made


def texts(kind: str) -> list[list[int]]:
    """Longer than the windows. The last token is the padding's, as where a decoder pads with the token that ends a text."""
    draw = torch.Generator().manual_seed(1)
    sizes = (11, 1, 7, 19, 3)
    return [[*torch.randint(3, 97, (size,), generator=draw).tolist(), *[2] * (kind in PACKS)] for size in sizes]


def said(ours: PreTrainedModel, layout: Layout, some: list[list[int]], of: AnswersFor) -> torch.Tensor:
    answers: torch.Tensor = answered(ours, layout([(ids, ids) for ids in some], causal=False), of).logits
    return answers.flatten(1)


def tokenizer() -> Any:
    return ByteBPE(vocab_size=500, specials="bert").build(Toy("stories", rows=60).load())


def reviews(kind: Any) -> tuple[Recipe, Any]:
    """A recipe for two classes, and a tokenizer for it."""
    told = Classification(labels=("bad", "good"))
    return Recipe(model=kind, data=Toy("reviews"), objective=told, training=Training(max_length=96)), tokenizer()


def slopes(ours: PreTrainedModel, answers: torch.Tensor) -> dict[str, torch.Tensor]:
    ours.zero_grad()
    (answers * torch.arange(1, answers.numel() + 1).view(answers.shape)).sum().backward()
    return {name: p.grad.clone() for name, p in ours.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("kind", "of"), CASES)
def test_side_by_side_equals_alone(kind: str, of: AnswersFor) -> None:
    ours, some = model(kind, of), texts(kind)
    alone = torch.cat([said(ours, Layout(2), [one], of) for one in some])
    expected = slopes(ours, alone)
    ours.set_attn_implementation(NAME)
    layout = Layout(2, True, first_position(ours.config))
    assert packs_texts(ours, layout, of)
    packed = said(ours, layout, some, of)
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-5)
    found, scale = slopes(ours, packed), 1e-5 * max(float(slope.norm()) for slope in expected.values())
    assert found.keys() >= expected.keys()
    for name, slope in expected.items():
        torch.testing.assert_close(found[name], slope, rtol=1e-4, atol=scale, msg=name)


@pytest.mark.parametrize("of", HEADS)
def test_a_head_that_reads_all_tokens_is_found_out(of: AnswersFor) -> None:
    ours = model("modernbert", of, classifier_pooling="mean")
    ours.set_attn_implementation(NAME)
    assert not packs_texts(ours, Layout(2, True), of)
    assert said(ours, Layout(2), texts("modernbert"), of).isfinite().all()


def test_a_model_that_does_not_expect_it_is_padded(capsys: pytest.CaptureFixture[str]) -> None:
    ours = model("bert", "text")
    ours.bert.encoder = None
    assert not packs_texts(ours, Layout(2, True), "text")
    assert "cannot answer for texts side by side" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("dropout", "packed"), [(0.1, False), (0.0, True)])
@pytest.mark.parametrize("objective", [Classification(labels=("bad", "good")), MLMNSP()])
def test_on_a_gpu_without_a_kernel_texts_are_padded(
    monkeypatch: pytest.MonkeyPatch, objective: Any, dropout: float, packed: bool
) -> None:
    """Dropout leaves SDPA, sequence by sequence, where flash-attn is not installed."""
    recipe, words = reviews(BERT(layers=1, hidden=32, heads=2, max_length=128))
    recipe = recipe.replace(objective=objective)
    made = build_model(recipe, words)
    made.config.attention_probs_dropout_prob = dropout
    arguments: Any = SimpleNamespace(device=torch.device("cuda"), bf16=True, fp16=False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(attention, "_flash_is_installed", lambda: False)
    monkeypatch.setattr(attention, "_varlen_is_there", lambda: True)
    assert kernels.kernel(made, arguments) == ("varlen" if packed else "sdpa")
    assert choose_layout(recipe, made, words, arguments).packed == packed


def test_heads_that_always_say_the_same_prove_nothing() -> None:
    ours = model("bert", "text")
    torch.nn.init.zeros_(ours.classifier.weight)
    ours.set_attn_implementation(NAME)
    assert not packs_texts(ours, Layout(2, True), "text")


@pytest.mark.parametrize(
    ("objective", "task"),
    [(Classification(), "paraphrases"), (Regression(scale=(0, 4)), "similarity"), (MultipleChoice(), "endings")],
)
@pytest.mark.parametrize("lora", [False, True])
def test_a_recipe_computes_no_padding(objective: Any, task: str, lora: bool) -> None:
    """And tells so to what counts its tokens: every one of them, though the head is called with few."""
    rows = list(Toy(task, rows=12).load())
    recipe = Recipe(
        model=BERT(layers=2, hidden=32, heads=2, max_length=128), data=Toy(task), objective=objective.fitted(Toy(task, rows=12).load()),
        training=Training(max_length=96), adapter=LoRA(r=2) if lora else None,
    )  # fmt: skip
    words = tokenizer()
    ours = build_model(recipe, words)
    made = ours.get_base_model() if lora else ours
    layout = choose_layout(recipe, ours, words)
    assert layout.packed and made.config._attn_implementation == NAME
    seen: list[Any] = []
    ours.register_forward_pre_hook(lambda module, args, kwargs: seen.append(read_pass(args, kwargs)), with_kwargs=True)
    batch = recipe.objective.collate(recipe.objective.prepare_many(rows, words, 96), layout)
    recipe.objective.loss(ours, batch).terms.popitem()[1].sum.backward()
    (one,) = seen
    tokens = batch["input_tokens"]
    assert batch["input_ids"].shape == (1, tokens) and one.positions == tokens
    assert sum(queries for queries, _ in one.spans()) == tokens
    for part in made.base_model.modules():
        assert not part._forward_hooks and not part._forward_pre_hooks, "they are taken off again"


def test_where_it_cannot_pack_its_attention_stays(capsys: pytest.CaptureFixture[str]) -> None:
    recipe, words = reviews(ModernBERT(layers=2, hidden=32, heads=2, max_length=128))
    made = build_model(recipe, words)
    made.config.classifier_pooling = "mean"
    assert not choose_layout(recipe, made, words).packed
    assert "answers otherwise for texts side by side" in " ".join(capsys.readouterr().out.split())
    assert made.config._attn_implementation == "sdpa" and made.training == build_model(recipe, words).training


def test_which_end_answers() -> None:
    assert reads_both_ways(model("roberta", "text").config) and not reads_both_ways(model("gpt2", "text").config)
