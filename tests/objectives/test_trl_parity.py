"""Our losses and gradients are those of TRL's trainers; in float64 those of the papers' formulas."""

from __future__ import annotations

import copy
import math
import sys

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from smolrecipes import attention
from smolrecipes.kinds import Layout, Parts
from smolrecipes.objectives.dpo import DPO
from smolrecipes.objectives.orpo import ORPO
from smolrecipes.objectives.sft import SFT

PAD, VOCABULARY, PACKED = 0, 259, False
TERMS = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


def byte_tokenizer():
    names = ["<pad>", "<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")


def policy(adapter=False, tied=False):
    """A tiny Llama, with sharp predictions, so that answers are far from equally likely."""
    torch.manual_seed(1)
    sizes = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=VOCABULARY, num_key_value_heads=2, pad_token_id=PAD, tie_word_embeddings=tied, **sizes
    )
    model = LlamaForCausalLM(config)
    model.get_output_embeddings().weight.data.mul_(20)
    if adapter:
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
        disturb(model)
    return model


def disturb(model):
    """Moves what is trained, as training would, so that policy and reference differ."""
    make = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=make))


def examples(*columns):
    """Five rows of random ids, of different lengths; after a prompt comes at least one token."""
    make = torch.Generator().manual_seed(3)

    def ids(size):
        return torch.randint(1, VOCABULARY, (size,), generator=make).tolist()

    sizes = {"prompt": (3, 9, 1, 5, 4), "chosen": (4, 1, 7, 3, 9), "rejected": (6, 2, 1, 3, 5)}
    rows = [{name: ids(sizes[name][i]) for name in columns} for i in range(5)]
    return Dataset.from_list([{**row, "origin": f"rows:{i}"} for i, row in enumerate(rows)])


def conversations():
    """Five rows of ids in which a middle and an end are learned."""
    rows = examples("prompt", "chosen", "rejected")
    ids = [row["prompt"] + row["chosen"] + row["rejected"] for row in rows]
    learned = [[-100] * len(r["prompt"]) + r["chosen"] + [-100] + r["rejected"][1:] for r in rows]
    return Dataset.from_dict({"input_ids": ids, "labels": learned, "origin": rows["origin"]})


def theirs(objective, model, rows, folder, after=None):
    """TRL's loss on all rows as one batch, with gradients left on the model."""
    arguments = objective.replace(engine="trl").arguments(
        {"output_dir": str(folder), "use_cpu": True, "report_to": "none", "disable_tqdm": True, "seed": 0}
    )
    parts = Parts(
        model=model,
        arguments=arguments,
        tokenizer=byte_tokenizer(),
        train_rows=rows,
        validation_rows=None,
        train=rows,
        validation=None,
        callbacks=[],
        batch=5,
        max_length=64,
        seed=0,
        batch_tokens=None,
        layout=Layout(PAD),
    )
    trainer = objective.replace(engine="trl").trainer(parts)
    if after:
        after(trainer.model)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(rows))])
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    return loss.detach()


@pytest.fixture(params=[False, True], ids=["padded", "packed"], autouse=True)
def packed(request, monkeypatch):
    """Every test holds for padded batches and for packed ones, whose pairs share their prompts."""
    monkeypatch.setattr(sys.modules[__name__], "PACKED", request.param)


def ours(objective, model, rows):
    """Our loss on all rows as one batch, with gradients left on the model."""
    if PACKED:
        getattr(model, "get_base_model", lambda: model)().set_attn_implementation(attention.NAME)
    batch = objective.collate(list(rows), Layout(PAD, PACKED))
    counts = objective.counts(batch)
    model.train()
    terms = objective.loss(model, batch).terms
    loss = torch.stack([term.weight * term.sum / counts[term.over] for term in terms.values()]).sum()
    loss.backward()
    return loss.detach()


def slopes(model):
    found = {name: p.grad.double() for name, p in model.named_parameters() if p.grad is not None}
    assert found
    return found


def assert_same(one, other, tolerance):
    """Gradients of two models: relative in each parameter's norm, over all that have one."""
    one, other = slopes(one), slopes(other)
    assert one.keys() == other.keys()
    scale = math.sqrt(sum(g.norm() ** 2 for g in other.values()))
    assert scale > 1e-3
    for name, gradient in other.items():
        assert (one[name] - gradient).norm() <= tolerance * max(gradient.norm(), 1e-3 * scale), name


def logps(model, ids, start):
    """Log-probabilities of ids[start:] one sequence at a time, from all the logits: (tokens,)."""
    logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
    tokens = torch.tensor(ids[1:])
    return torch.log_softmax(logits, -1)[torch.arange(len(tokens)), tokens][max(start - 1, 0) :]


def answers(model, rows, side):
    return [logps(model, row["prompt"] + row[side], len(row["prompt"])) for row in rows]


def by_hand(objective, model, rows, reference=None):
    """The formula of the paper, example by example; `model` and `reference` in float64."""
    if isinstance(objective, SFT):
        parts = [logps(model, row["input_ids"], 0)[torch.tensor(row["labels"][1:]) != -100] for row in rows]
        return -torch.cat(parts).mean()
    chosen, rejected = answers(model, rows, "chosen"), answers(model, rows, "rejected")
    if isinstance(objective, ORPO):
        learned = chosen
        if objective.learn == "prompt+answer":
            learned = [logps(model, row["prompt"] + row["chosen"], 0) for row in rows]
        good, bad = (torch.stack([x.mean() for x in side]) for side in (chosen, rejected))
        log_odds = (good - bad) - (torch.log(1 - good.exp()) - torch.log(1 - bad.exp()))
        return -torch.cat(learned).mean() + objective.beta * torch.log(1 + torch.exp(-log_odds)).mean()
    with torch.no_grad():
        old_chosen, old_rejected = answers(reference, rows, "chosen"), answers(reference, rows, "rejected")
    reduce = torch.mean if objective.variant == "ipo" else torch.sum
    good = torch.stack([reduce(new - old) for new, old in zip(chosen, old_chosen, strict=True)])
    bad = torch.stack([reduce(new - old) for new, old in zip(rejected, old_rejected, strict=True)])
    margin, share = objective.beta * (good - bad), objective.label_smoothing
    right, wrong = torch.log(1 + torch.exp(-margin)), torch.log(1 + torch.exp(margin))
    return {
        "sigmoid": right,
        "hinge": (1 - margin).clamp(min=0),
        "ipo": (good - bad - 0.5 / objective.beta) ** 2,
        "robust": ((1 - share) * right - share * wrong) / (1 - 2 * share),
    }[objective.variant].mean()


@pytest.mark.parametrize("tied", [False, True], ids=["", "tied"])
@pytest.mark.parametrize("adapter", [False, True], ids=["full", "adapter"])
def test_sft(adapter, tied, tmp_path):
    rows, objective = conversations(), SFT()
    one, other, exact = policy(adapter, tied), policy(adapter, tied), policy(adapter, tied).double()
    loss = ours(objective, one, rows)
    torch.testing.assert_close(loss, theirs(objective, other, rows, tmp_path), **TERMS)
    assert_same(one, other, 1e-4)
    hand = by_hand(objective, exact, rows)
    hand.backward()
    torch.testing.assert_close(loss.double(), hand.detach(), **TERMS)
    assert_same(one, exact, 1e-4)


@pytest.mark.parametrize("learn", ["answer", "prompt+answer"])
@pytest.mark.parametrize("adapter", [False, True], ids=["full", "adapter"])
def test_orpo(adapter, learn, tmp_path):
    rows, objective = examples("prompt", "chosen", "rejected"), ORPO(beta=0.3, learn=learn)
    one, other, exact = policy(adapter), policy(adapter), policy(adapter).double()
    loss = ours(objective, one, rows)
    if learn == "prompt+answer":  # TRL computes no other
        torch.testing.assert_close(loss, theirs(objective, other, rows, tmp_path), **TERMS)
        assert_same(one, other, 1e-4)
    hand = by_hand(objective, exact, rows)
    hand.backward()
    torch.testing.assert_close(loss.double(), hand.detach(), **TERMS)
    assert_same(one, exact, 1e-4)


VARIANTS = {
    "sigmoid": DPO(beta=0.2),
    "ipo": DPO(beta=0.2, variant="ipo"),
    "hinge": DPO(beta=0.2, variant="hinge"),
    "robust": DPO(beta=0.2, variant="robust", label_smoothing=0.2),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_dpo_with_the_adapter_off_as_the_reference(variant, tmp_path):
    rows, objective = examples("prompt", "chosen", "rejected"), VARIANTS[variant]
    one, other, exact = policy(True), policy(True), policy(True).double()
    loss = ours(objective, one, rows)
    torch.testing.assert_close(loss, theirs(objective, other, rows, tmp_path), **TERMS)
    assert_same(one, other, 1e-4)
    base = copy.deepcopy(exact).unload()
    hand = by_hand(objective, exact, rows, base)
    hand.backward()
    torch.testing.assert_close(loss.double(), hand.detach(), **TERMS)
    assert_same(one, exact, 1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_dpo_with_a_reference_computed_beforehand(variant, tmp_path):
    rows, objective = examples("prompt", "chosen", "rejected"), VARIANTS[variant]
    one, other, exact = policy(), policy(), policy().double()
    base = copy.deepcopy(exact)
    known = objective.precompute(rows, one, Layout(PAD, False), 4, lambda make: make())
    disturb(one)
    loss = ours(objective, one, known)
    torch.testing.assert_close(loss, theirs(objective, other, rows, tmp_path, after=disturb), **TERMS)
    assert_same(one, other, 1e-4)
    exact.load_state_dict(one.state_dict())
    hand = by_hand(objective, exact, rows, base)
    hand.backward()
    torch.testing.assert_close(loss.double(), hand.detach(), **TERMS)
    assert_same(one, exact, 1e-4)


@pytest.mark.parametrize("packed", [False, True])
def test_dpo_with_the_reference_of_an_adapter_computed_beforehand(packed):
    """The adapter has moved already, so that policy and reference differ, and rows come in another order."""
    rows, asked = examples("prompt", "chosen", "rejected"), DPO(beta=0.2, precompute_ref_log_probs=True)
    one, other = policy(True), policy(True)
    if packed:
        one.get_base_model().set_attn_implementation(attention.NAME)
    disturb(one), disturb(other)
    assert DPO(beta=0.2).precompute(rows, one, Layout(PAD, packed), 4, lambda make: make()) is rows
    one.train()
    known = asked.precompute(rows, one, Layout(PAD, packed), 3, lambda make: make())
    assert one.training and {"reference_chosen", "reference_rejected"} <= set(known.column_names)
    torch.testing.assert_close(ours(asked, one, known), ours(DPO(beta=0.2), other, rows), **TERMS)
    assert_same(one, other, 1e-4)


@pytest.mark.parametrize("objective", [SFT(), ORPO(beta=0.3), VARIANTS["sigmoid"]], ids=lambda o: o.name)
def test_in_float64_ours_is_the_formula_to_the_last_digits(objective):
    rows = conversations() if isinstance(objective, SFT) else examples("prompt", "chosen", "rejected")
    one, exact = policy(True).double(), policy(True).double()
    loss = ours(objective, one, rows)
    hand = by_hand(objective, exact, rows, copy.deepcopy(exact).unload())
    hand.backward()
    torch.testing.assert_close(loss, hand.detach(), rtol=1e-12, atol=1e-12)
    # a Llama's norms compute in float32, where summing before or after them differs when prompts are shared
    assert_same(one, exact, 1e-6 if PACKED else 1e-10)
