"""The rehearsal leaves no trace and finds a micro-batch that fits; what saves memory changes no number."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from smolrecipes import ORPO, SFT, ByteBPE, Llama, LoRA, Recipe, RecipeError, Toy, Training, memory
from smolrecipes import gauge as gauges
from smolrecipes.gauge import Gauge, _left_by_groups, free
from smolrecipes.memory import _buckets, rehearse
from smolrecipes.optimizers import averages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run directory, so that rows are tokenised once."""
    return tmp_path_factory.mktemp("runs")


def trainer(folder: Path, objective: Any = None, adapter: Any = None, **training: Any) -> Any:
    recipe = Recipe(
        model=Llama(layers=2, hidden=32, heads=2),
        tokenizer=ByteBPE(vocab_size=384),
        data=Toy("preferences" if objective else "chat", rows=60),
        objective=objective or SFT(),
        adapter=adapter,
        training=Training(**{"steps": 3, "global_batch_size": 8, "max_length": 128, "log_every": 1, **training}),
    )
    return recipe.trainer(runs=folder)


def trained(built: Any) -> tuple[list[float], dict[str, torch.Tensor]]:
    built.train()
    losses = [entry["loss"] for entry in built.state.log_history if "loss" in entry]
    return losses, {name: weight.detach().clone() for name, weight in built.model.named_parameters()}


def same(one: Any, other: Any, **tolerance: float) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    for name, weight in one[1].items():
        torch.testing.assert_close(weight, other[1][name], rtol=0, **{"atol": 0.0, **tolerance})


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_rehearsal_changes_nothing(folder: Path, optimizer: str) -> None:
    plain, rehearsed = (trainer(folder, optimizer=optimizer, weight_decay=0.1) for _ in range(2))
    state = torch.random.get_rng_state()
    peaks = rehearse(rehearsed).peaks
    assert torch.equal(state, torch.random.get_rng_state())
    assert list(peaks) == ["forward", "backward", "optimizer step", "evaluation", "save"]
    same(trained(rehearsed), trained(plain))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere freed memory stays, and counts")
def test_every_peak_is_above_one_level(folder: Path) -> None:
    """Each with AdamW's averages, backward and the step with the gradients as well, and none with what was freed before."""
    recipe = Recipe(
        model=Llama(layers=2, hidden=512, heads=2),
        tokenizer=ByteBPE(vocab_size=384),
        data=Toy("chat", rows=60),
        objective=SFT(),
        training=Training(steps=3, global_batch_size=2, max_length=64),
    )
    built = recipe.trainer(runs=folder)
    weights = gradients(built)
    assert weights > 20 * 2**20
    freed = torch.ones(2**26)
    del freed
    found = rehearse(built)
    for name, least in (("forward", 2), ("backward", 3), ("optimizer step", 3), ("save", 2)):
        assert 0.9 * least * weights < found.peaks[name] < (least + 1.5) * weights, name
    assert found.told().startswith(
        f"in MiB above the {found.level / 2**20:,.0f} of before: forward {found.peaks['forward'] / 2**20:,.0f}, "
    )


def test_several_processes_take_as_much_again_for_the_gradients_they_add_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, held = trainer(folder), []
    monkeypatch.setattr("smolrecipes.memory._buckets", lambda one: held.append(_buckets(one)) or held[-1])
    monkeypatch.setattr(type(built.args), "world_size", 2)
    rehearse(built)
    assert held[0].nbytes == gradients(built)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(folder: Path, optimizer: str) -> None:
    """A rate of 0 times nan is nan: the guard would find it in the first step, and blame other rows."""
    built = trainer(folder, optimizer=optimizer)
    before = {name: weight.detach().clone() for name, weight in built.model.named_parameters()}
    inner = built.compute_loss
    built.compute_loss = lambda *args, **more: inner(*args, **more) * float("nan")
    rehearse(built)
    assert all(torch.equal(weight, before[name]) for name, weight in built.model.named_parameters())


def test_the_loss_runs_in_the_precision_of_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In rehearsal, training and evaluation: the head is the dearest product of a small model."""
    from smolrecipes.objectives import vocabulary

    types: list[torch.dtype] = []
    product = vocabulary._Logits.__call__

    def noted(self: vocabulary._Logits, hidden: torch.Tensor) -> torch.Tensor:
        types.append(hidden.dtype)
        return product(self, hidden)

    monkeypatch.setattr(vocabulary._Logits, "__call__", noted)
    mixed = trainer(folder, precision="bfloat16", device="cpu")
    rehearse(mixed)
    mixed.train()
    mixed.evaluate()
    assert set(types) == {torch.bfloat16} and len(types) >= 6
    assert not trainer(folder).args.bf16, "the precision of one recipe is not what the launcher asked of the next"


def test_a_micro_batch_that_does_not_fit_is_halved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, small = trainer(folder), trainer(folder)
    whole = small.compute_loss

    def short_of_memory(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        if inputs["sequences"] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, inputs, *rest, **more)

    monkeypatch.setattr("smolrecipes.memory._no_room", lambda trainer: "")  # which only a CPU is asked
    monkeypatch.setattr(small, "compute_loss", short_of_memory)
    rehearse(small)
    assert (small.args.per_device_train_batch_size, small.args.gradient_accumulation_steps) == (2, 4)
    same(trained(small), trained(plain), atol=1e-4)


def test_one_row_that_does_not_fit_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = trainer(folder, micro_batch_size=2)

    def never(*args: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("smolrecipes.memory._no_room", lambda trainer: "")
    monkeypatch.setattr(small, "compute_loss", never)
    with pytest.raises(RecipeError, match="one row of .* tokens does not fit the GPU; lower training.max_length"):
        rehearse(small)


def measured_as(fixed: int, each: int, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass takes `fixed` bytes and `each` for a row, where `room` are free."""

    @contextmanager
    def measured(self: Gauge, name: str) -> Iterator[None]:
        yield
        self.peaks[name] = fixed + each * (int(name.removesuffix(" rows")) if name.endswith(" rows") else 1)

    monkeypatch.setattr(Gauge, "phase", measured)
    monkeypatch.setattr("smolrecipes.memory.free", lambda: room)


def gradients(built: Any) -> int:
    return 4 * sum(weight.numel() for weight in built.model.parameters() if weight.requires_grad)


def test_too_little_memory_is_said_before_the_process_dies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = trainer(folder)
    fixed = gradients(built)
    measured_as(fixed, 1000, 3 * fixed + 2000, monkeypatch)
    with pytest.raises(RecipeError, match="a micro-batch of 8 rows needs about .* set training.micro_batch_size=1"):
        rehearse(built)
    measured_as(fixed, 1000, 2 * fixed, monkeypatch)  # not even AdamW's averages have room
    with pytest.raises(RecipeError, match="8 rows needs about .* GiB are free; lower training.max_length"):
        rehearse(built)


def test_room_is_looked_for_as_the_run_trains(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, states = trainer(folder, gradient_checkpointing=True), []
    whole = built.compute_loss

    def noted(model: Any, *rest: Any, **more: Any) -> Any:
        states.append((model.training, model.is_activation_checkpointing))
        return whole(model, *rest, **more)

    monkeypatch.setattr(built, "compute_loss", noted)
    built.model.eval()
    rehearse(built)
    assert states[:2] == [(True, True)] * 2


def test_only_what_grows_with_the_rows_counts_for_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradients of the weights and AdamW's two averages take as much for one row as for many."""
    built = trainer(folder)
    fixed = gradients(built)
    measured_as(fixed, 1000, 3 * fixed + 8000, monkeypatch)
    rehearse(built)
    measured_as(fixed, 1000, 3 * fixed + 5000, monkeypatch)
    with pytest.raises(RecipeError, match="set training.micro_batch_size=2, or lower training.max_length"):
        rehearse(built)
    measured_as(fixed + 2000, 1000, 3 * fixed + 10_000, monkeypatch)  # what the first row takes besides
    rehearse(built)
    plain = trainer(folder, hf={"optim": "sgd"})
    measured_as(fixed, 1000, fixed + 8000, monkeypatch)
    rehearse(plain)


def test_no_more_rows_are_tried_than_surely_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, tried = trainer(folder), []
    fixed, taken = gradients(built), memory._taken
    monkeypatch.setattr(memory, "_taken", lambda one, count: tried.append(count) or taken(one, count))
    measured_as(fixed, 1000, 3 * fixed + 3500, monkeypatch)
    with pytest.raises(RecipeError, match="a micro-batch of 8 rows needs about"):
        rehearse(built)
    assert tried == [1, 3]


def test_what_an_optimizer_keeps_is_counted(folder: Path) -> None:
    """Of a hidden matrix Muon keeps one average, AdamW two, plain descent none."""
    built = trainer(folder, optimizer="muon")
    everything = gradients(built)
    matrices = 4 * sum(w.numel() for n, w in built.model.named_parameters() if n.endswith("_proj.weight"))
    assert averages(built.create_optimizer()) == 2 * everything - matrices
    assert averages(trainer(folder).create_optimizer()) == 2 * everything
    assert averages(torch.optim.SGD(built.model.parameters())) == 0


def test_held_out_rows_that_do_not_fit_are_halved_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = trainer(folder)
    object.__setattr__(small.parts, "validation", small.parts.train)  # of which there are more
    whole = small.compute_loss

    def short_of_memory(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        if inputs["sequences"] > 1 and not torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, inputs, *rest, **more)

    monkeypatch.setattr(small, "compute_loss", short_of_memory)
    rehearse(small)
    args = small.args
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (8, 1)
    assert args.per_device_eval_batch_size == 1


def test_a_schedule_free_optimizer_is_rehearsed_in_training(folder: Path) -> None:
    class Free(torch.optim.SGD):
        training = False

        def train(self) -> None:
            self.training = True

        def step(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
            assert self.training
            super().step(*args, **kwargs)

    built = trainer(folder)
    built.optimizer_cls_and_kwargs = (Free, {"lr": 0.1})
    assert rehearse(built)


def test_the_optimizer_s_state_is_there_from_the_beginning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step of a run has none yet; what fits it may not fit the second."""
    built, states = trainer(folder), []
    whole = built.compute_loss

    def noted(*args: Any, **more: Any) -> Any:
        states.append(bool(built.optimizer and built.optimizer.state))
        return whole(*args, **more)

    monkeypatch.setattr(built, "compute_loss", noted)
    monkeypatch.setattr("smolrecipes.memory._raises", lambda device: True)
    rehearse(built)
    assert states == [True, True]  # training, and held-out rows


def test_a_container_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own and those of the groups around it; files that the system keeps in memory are free."""
    inner = tmp_path / "job" / "step"
    inner.mkdir(parents=True)
    own = tmp_path / "cgroup"
    own.write_text("1:name=systemd:/old\n0::/job/step\n")
    (inner / "memory.max").write_text("max\n")
    (inner / "memory.current").write_text("1\n")
    for name, text in (("max", "5000\n"), ("current", "4000\n"), ("stat", "anon 3000\ninactive_file 700\n")):
        (tmp_path / "job" / f"memory.{name}").write_text(text)
    monkeypatch.setattr(gauges, "GROUPS", tmp_path)
    assert list(gauges._left_by_groups(own)) == [1700]
    monkeypatch.setattr(gauges, "_left_by_groups", lambda: [1700])
    assert free() == 1700
    assert list(_left_by_groups(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("given", "advised"),
    [
        ({}, (True, True, True)),
        ({"gradient_checkpointing": True}, (False, True, True)),
        ({"adapter": LoRA()}, (True, False, True)),
        ({"micro_batch_size": 1}, (True, True, False)),
    ],
    ids=["nothing", "checkpointing", "lora", "one row"],
)
def test_what_is_set_already_is_not_advised(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], advised: tuple[bool, ...]
) -> None:
    built = trainer(folder, **given)
    fixed = gradients(built)
    measured_as(fixed, 1000, 3 * fixed + 1, monkeypatch)
    with pytest.raises(RecipeError) as found:
        rehearse(built)
    words = ("gradient_checkpointing=true", "adapter=lora", "micro_batch_size")
    assert tuple(word in str(found.value) for word in words) == advised


def test_a_run_on_the_cpu_of_a_machine_with_a_gpu_is_measured_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    gauge = Gauge(torch.device("cpu"))
    with gauge.phase("some"):
        held = torch.ones(2**24)
    assert gauge.peaks["some"] >= held.nbytes / 2


def test_padded_rows_of_like_length_come_together_where_that_is_asked_for(folder: Path) -> None:
    shares = []
    for asked in (False, True):
        built = trainer(folder, packing=False, group_by_length=asked, steps=7)
        built.train()
        (whole,) = (entry for entry in built.state.log_history if "train_loss" in entry)
        shares.append(whole["padding_share"])
    assert shares[1] < 0.5 * shares[0]


@pytest.mark.parametrize("objective", [None, ORPO()], ids=["sft", "orpo"])
@pytest.mark.parametrize("checkpointing", [True, "selective"])
def test_checkpointing_changes_nothing(folder: Path, checkpointing: bool | str, objective: Any) -> None:
    same(trained(trainer(folder, objective, gradient_checkpointing=checkpointing)), trained(trainer(folder, objective)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to move memory from")
def test_offloading_needs_a_gpu(folder: Path) -> None:
    with pytest.raises(RecipeError, match="offload moves a GPU's memory to the host; here take true"):
        trainer(folder, gradient_checkpointing="offload")


def test_the_rehearsal_computes_again_what_the_run_will(folder: Path) -> None:
    """Selective checkpointing as many matrix products as without any; full checkpointing more."""
    from torch.utils.flop_counter import FlopCounterMode

    def work(asked: bool | str) -> int:
        built = trainer(folder, gradient_checkpointing=asked)
        with FlopCounterMode(display=False) as counter:
            rehearse(built)
        return int(counter.get_total_flops())

    assert work("selective") == work(False) < work(True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiling_changes_nothing(folder: Path) -> None:
    compiled = trainer(folder, compile=True)
    same(trained(compiled), trained(trainer(folder)), atol=1e-4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0  # else nothing was compiled
