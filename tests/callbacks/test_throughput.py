"""Throughput: what is counted is counted exactly, every second belongs to one phase, and the run stays as it was."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

from smolrecipes import DPO, SFT, ByteBPE, Llama, LoRA, Metrics, Progress, Recipe, Throughput, Toy, Training
from smolrecipes.callbacks import clock, meter
from smolrecipes.callbacks.flops import Arithmetic, read_pass
from smolrecipes.callbacks.peak import matmul_peak
from smolrecipes.spans import Span, Spans

PHASES = [f"time_{phase}" for phase in clock.PHASES]
NAMES = {"tokens_per_second", "padding_share", "flops_per_second", "mfu", *PHASES}


@pytest.fixture(autouse=True)
def _known_peak(monkeypatch):
    monkeypatch.setattr(meter, "matmul_peak", lambda *given: 1e15)


@pytest.fixture
def second(monkeypatch):
    """second(n) lets n seconds pass; nothing else does."""
    now = [100.0]
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def wait(seconds):
        now[0] += seconds

    return wait


class Late(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, wait):
        ctx.wait = wait
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.wait(5)
        return gradient, None


def slow(trainer, second):
    """Fetching a row takes 1 second, a forward pass 3, a backward pass 5, clipping 2, and the optimizer's step 7."""
    optimizer, fetch, clip = trainer.create_optimizer, type(trainer.train_dataset).__getitem__, trainer._clip_grad_norm

    class Rows(list):
        def __getitem__(self, index):
            second(1)
            return fetch(self, index)

    trainer.train_dataset = Rows(trainer.train_dataset)
    trainer.eval_dataset = Rows(trainer.eval_dataset)
    trainer.model.model.embed_tokens.register_forward_hook(lambda m, i, out: second(3) or Late.apply(out, second))
    trainer._clip_grad_norm = lambda model: second(2) or clip(model)

    def slowly(*args, **kwargs):
        made = optimizer(*args, **kwargs)
        step = made.step
        made.step = lambda *a, **k: second(7) or step(*a, **k)
        return made

    trainer.create_optimizer = slowly
    return trainer


def training(trainer):
    return [entry for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_second_belongs_to_its_phase(make_trainer, second, accumulate):
    how = {"eval_strategy": "steps", "eval_steps": 2, "eval_on_start": True, "save_strategy": "steps", "save_steps": 4}
    trainer = slow(make_trainer([Throughput()], gradient_accumulation_steps=accumulate, **how), second)
    trainer.train()
    found = training(trainer)
    assert [set(row) & NAMES for row in found] == [NAMES] * 4
    whole = accumulate * (4 + 3 + 5) + 2 + 7
    for row in found[1:3]:  # the loader keeps a batch in hand, fetched in the first step and not in an epoch's last
        parts = dict(zip(clock.PHASES, (round(row[name] * whole) for name in PHASES)))
        assert parts == {
            "data": 4 * accumulate, "forward": 3 * accumulate, "backward": 5 * accumulate, "optimizer": 7, "other": 2,
        }  # fmt: skip
        assert sum(row[name] for name in PHASES) == pytest.approx(1, abs=1e-3)
        assert row["tokens_per_second"] == pytest.approx(32 * accumulate / whole, rel=1e-3)  # 4 rows of 8 tokens
        assert row["mfu"] == pytest.approx(row["flops_per_second"] / 1e15, rel=1e-2)
    last = next(entry for entry in trainer.state.log_history if "train_loss" in entry)
    assert last["tokens_per_second"] == pytest.approx(
        8 * 32 * accumulate / (8 * whole + 4 * (accumulate == 1)), rel=1e-3
    )  # the whole run's


def test_on_a_gpu_phases_end_when_it_gets_there(monkeypatch):
    now, waited = [0], []

    class Event:
        """One in the queue of a GPU that works off what it was asked for 10 milliseconds later."""

        def __init__(self, device, enable_timing):
            assert enable_timing

        def record(self):
            self.at = now[0] + 10

        def synchronize(self):
            waited.append(self.at)

        def elapsed_time(self, other):
            return other.at - self.at

    monkeypatch.setattr(torch, "Event", Event)
    timed = clock.Clock(torch.device("cuda"))
    for step in range(2):
        for phase, milliseconds in (("data", 1), ("forward", 200), ("backward", 400), ("", 5000), ("optimizer", 30)):
            timed.switch(phase)
            now[0] += milliseconds
        assert len(waited) == step
        assert timed.read() == pytest.approx([0.001, 0.2, 0.4, 0.03, 0])
    timed.switch("other")
    now[0] += 7
    assert timed.read() == pytest.approx([0, 0, 0, 0, 0.007])


def test_a_loss_made_outside_of_the_model_is_told_or_found(make_trainer, second):
    """Where nobody tells, the backward pass begins with the first weight's gradient, and clipping joins it."""
    for tells, backward in ((True, 4 + 5), (False, 5 + 2)):
        shown = Throughput()
        trainer = slow(make_trainer([shown]), second)

        def outside(model, inputs, tells=tells, shown=shown, **kwargs):
            labels = inputs.pop("labels")
            logits = model(**inputs).logits
            logits.register_hook(lambda gradient: second(4))
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
            if tells:
                shown.watch(loss, tokens=20)
            return loss

        trainer.compute_loss = outside
        trainer.train()
        for row in training(trainer)[1:]:
            whole = 4 + 3 + 9 + 2 + 7
            assert round(row["time_backward"] * whole) == backward
            assert round(row["time_forward"] * whole) == (3 if tells else 7)
            assert row["tokens_per_second"] == pytest.approx((20 if tells else 32) / whole, rel=1e-3)


def test_padding_is_no_use_and_counts_as_such(make_trainer, second):
    trainer = slow(make_trainer([Throughput(mfu=False)]), second)
    for index, row in enumerate(trainer.train_dataset):
        trainer.train_dataset[index] = {**row, "attention_mask": torch.tensor([1] * 6 + [0, 0])}
    trainer.train()
    for row in training(trainer)[1:]:
        assert row["padding_share"] == 0.25 and row["tokens_per_second"] == pytest.approx(24 / 21, rel=1e-3)
        assert "mfu" not in row and "flops_per_second" in row


def tiny(**options):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    more = {"num_key_value_heads": 2, "pad_token_id": 0, "attn_implementation": "eager"}
    return LlamaForCausalLM(LlamaConfig(vocab_size=300, **sizes, **{**more, **options}))


def counted(model, watched=True, **inputs):
    """(ours, torch's) FLOPs of a forward and a backward pass."""
    found = Arithmetic(model)
    one = read_pass((), inputs)
    if watched:
        finish = found.watch(one.positions)
        model(**inputs)
        finish()
    else:
        found.assume()
    with FlopCounterMode(display=False) as torchs:
        logits = model(**inputs).logits
        if logits.requires_grad:
            logits.sum().backward()
    return found.of(one, one.spans()), torchs.get_total_flops()


def bert():
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return BertForMaskedLM(BertConfig(vocab_size=300, attn_implementation="eager", **sizes))


def lora():
    return get_peft_model(tiny(), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))


IDS = torch.randint(1, 300, (3, 50), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [tiny, lora, bert])
def test_flops_are_those_that_torch_counts(make):
    ours, torchs = counted(make(), input_ids=IDS)
    assert ours == pytest.approx(torchs, rel=1e-3)
    with torch.no_grad():
        ours, torchs = counted(make(), input_ids=IDS)
    assert ours == pytest.approx(torchs, rel=1e-3)


def test_flops_without_watching_are_nearly_those():
    ours, torchs = counted(tiny(), watched=False, input_ids=IDS)
    assert ours == pytest.approx(torchs, rel=1e-3)
    ours, torchs = counted(lora(), watched=False, input_ids=IDS)
    assert ours == pytest.approx(torchs, rel=0.05)  # the first layer's input needs no gradient


def test_a_head_at_some_positions_costs_as_many(make_trainer):
    model = tiny()
    found, one = Arithmetic(model), read_pass((IDS,), {"logits_to_keep": 1})
    finish = found.watch(one.positions)
    model(IDS, logits_to_keep=1)
    finish()
    everywhere, one.labels = found.of(one, one.spans()), 10
    head = 6 * 32 * 300
    assert found.of(one, one.spans()) - everywhere == pytest.approx(head * (10 - 3))  # it ran at the last of 3 rows


def test_what_attention_sees_is_read_from_every_kind_of_batch():
    ids = torch.ones(2, 6, dtype=torch.long)
    spans = Spans([Span(0, 4), Span(4, 6, 0, 3)], torch.arange(6))
    row = ids[:1]
    for given, expected in [
        ({"input_ids": ids}, [(6, 6), (6, 6)]),
        ({"inputs_embeds": torch.ones(2, 6, 4)}, [(6, 6), (6, 6)]),
        ({"input_ids": ids, "attention_mask": torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1]])}, [(6, 6), (4, 4)]),
        ({"input_ids": row, "position_ids": torch.tensor([[0, 1, 2, 0, 1, 2]])}, [(3, 3), (3, 3)]),
        (
            {"input_ids": row, "position_ids": torch.tensor([[2, 3, 4, 2, 3, 4]])},
            [(3, 3), (3, 3)],
        ),  # RoBERTa counts from 2
        ({"input_ids": row, "spans": spans, "attention_mask": torch.ones(1, 1, 1, 1)}, [(4, 4), (2, 5)]),
    ]:
        one = read_pass((), given)
        assert one.spans() == expected
    assert read_pass((), {"pixel_values": torch.ones(1, 3, 8, 8)}) is None
    windowed = Arithmetic(tiny())
    windowed.config.sliding_window = 4
    assert windowed._widths() == {4: 96}
    windowed.config.layer_types = ["full_attention", "sliding_attention", "linear_attention"]
    assert windowed._widths() == {float("inf"): 32, 4: 32, 0: 32}


def test_the_run_stays_as_it_was(make_trainer):
    how = {"eval_strategy": "steps", "eval_steps": 2, "logging_steps": 1, "gradient_accumulation_steps": 2}
    watched = make_trainer([Throughput()], **how)
    watched.train()
    free = make_trainer([], **how)
    free.train()
    same = zip(watched.model.parameters(), free.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    for module in watched.model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
    assert not any(weight._post_accumulate_grad_hooks for weight in watched.model.parameters())


def test_the_peak_is_measured_without_the_run_s_random_numbers():
    before = torch.get_rng_state()
    peak = matmul_peak(torch.device("cpu"), torch.float32, 1)
    assert peak > 1e8 and torch.equal(torch.get_rng_state(), before)
    assert matmul_peak(torch.device("cpu"), torch.float32, 1) == peak


def test_files_and_lines_tell_it(make_trainer, tmp_path, capsys):
    make_trainer([Throughput(), Progress(), Metrics()]).train()
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert all(set(row) >= NAMES for row in rows if "loss" in row)
    assert "tokens/s (" in capsys.readouterr().out


def test_in_trl_s_trainer(tmp_path):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    ids = [[5, 6, 7, 8, 9, 10][: 3 + n % 4] for n in range(16)]
    trainer = SFTTrainer(
        model=tiny(attn_implementation="sdpa"),
        args=SFTConfig(
            output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=[], max_steps=2, logging_steps=1,
            per_device_train_batch_size=4, disable_tqdm=True, save_strategy="no",
        ),
        train_dataset=Dataset.from_dict({"input_ids": ids, "labels": ids}),
        processing_class=ByteBPE(vocab_size=270).build(Toy("stories", rows=5).load()),
        callbacks=[Throughput()],
    )  # fmt: skip
    trainer.train()
    for row in training(trainer):
        assert set(row) >= NAMES and sum(row[name] for name in PHASES) == pytest.approx(1, abs=1e-3)
        assert 0 < row["padding_share"] < 0.5 and row["time_backward"] > 0


@pytest.mark.parametrize("objective", [SFT(), DPO()])
def test_in_a_recipe_it_is_there_by_itself(objective, tmp_path, capsys):
    recipe = Recipe(
        model=Llama(hidden=32, layers=2, heads=2),
        tokenizer=ByteBPE(vocab_size=300),
        data=Toy("chat" if objective == SFT() else "preferences", rows=40),
        objective=objective,
        adapter=None if objective == SFT() else LoRA(),
        training=Training(steps=4, global_batch_size=8, log_every=2, max_length=256, device="cpu"),
    )
    trainer = recipe.trainer(tmp_path)
    trainer.train()
    rows = training(trainer)
    assert len(rows) == 2 and all(set(row) >= NAMES for row in rows)
    assert " tokens/s (" in capsys.readouterr().out
    whole = trainer.throughput._meter()
    assert whole is None  # let go at the end
    written = [json.loads(line) for line in next(tmp_path.glob("*/metrics.jsonl")).read_text().splitlines()]
    assert [row["mfu"] for row in written if "loss" in row] == [row["mfu"] for row in rows]


def preferences(tmp_path, **training):
    return Recipe(
        model=Llama(hidden=128, layers=2, heads=2),
        tokenizer=ByteBPE(vocab_size=300),
        data=Toy("preferences", rows=40),
        objective=DPO(),
        adapter=LoRA(r=1),
        training=Training(steps=3, global_batch_size=8, log_every=1, max_length=256, device="cpu", **training),
    ).trainer(tmp_path)


def test_the_passes_of_a_reference_count(tmp_path, monkeypatch):
    found, of = [], Arithmetic.of
    monkeypatch.setattr(Arithmetic, "of", lambda *given: found.append(of(*given)) or found[-1])
    monkeypatch.setattr(Arithmetic, "_widths", lambda self: {})  # torch counts no attention of a CPU
    trainer = preferences(tmp_path, micro_batch_size=4)
    with FlopCounterMode(display=False) as torchs:
        trainer.train()
    assert len(found) == 3 * 2 * 2  # of each micro-batch, the model's and the reference's
    assert sum(found) == pytest.approx(torchs.get_total_flops(), rel=0.05)


def test_waiting_for_other_processes_is_no_data(tmp_path, monkeypatch):
    trainer, noted = preferences(tmp_path), []
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.callback_handler.train_dataloader = SimpleNamespace()
    trainer.throughput.__dict__["_now"] = SimpleNamespace(clock=SimpleNamespace(switch=noted.append))
    monkeypatch.setattr(type(trainer.args), "world_size", 2)
    monkeypatch.setattr(trainer.accelerator, "reduce", lambda mine: noted.append("reduce") or mine)
    trainer.get_batch_samples(iter([batch]), 1, torch.device("cpu"))
    assert noted == ["data", "other", "reduce"]


def test_it_is_still_a_value(make_trainer):
    shown = Throughput()
    make_trainer([shown]).train()
    assert shown == Throughput() and repr(shown) == "Throughput()" and hash(shown) == hash(Throughput())
    assert shown.fingerprint() == Throughput(mfu=False).fingerprint()
    make_trainer([shown]).train()  # and works again


def test_choices_are_sequences_of_their_own() -> None:
    """Multiple choice gives (rows, choices, tokens)."""
    ids, mask = torch.zeros(4, 1, 7, dtype=torch.long), torch.ones(4, 1, 7)
    mask[1, 0, 5:] = 0
    for given in ({"attention_mask": mask}, {}):
        one = read_pass((), {"input_ids": ids, **given})
        assert one is not None and one.positions == 28
        assert one.spans() == [(7, 7), (5 if given else 7, 5 if given else 7), (7, 7), (7, 7)]
