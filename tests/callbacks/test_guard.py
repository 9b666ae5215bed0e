"""Guard: stops before the weights are spoiled, and says where; a healthy run is left alone."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from transformers import Trainer

from smolrecipes.callbacks.guard import Guard
from smolrecipes.errors import TrainingStopped
from smolrecipes.steady import SteadyTrainer


def poison(trainer, layer, at_step, value=float("nan")):
    """From the given step on, the gradient that flows back through `layer` is spoiled."""

    def hook(module, inputs, output):
        if trainer.state.global_step + 1 >= at_step and output.requires_grad:
            output.register_hook(lambda gradient: gradient * value)

    trainer.model.get_submodule(layer).register_forward_hook(hook)


def copy(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same(model, weights):
    return all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())


class Keep:
    """The weights after each step."""

    def __init__(self):
        self.weights = []

    def __getattr__(self, event):
        if not event.startswith("on_"):
            raise AttributeError(event)
        return self.step if event == "on_step_end" else lambda *a, **k: None

    def step(self, args, state, control, model, **kwargs):
        self.weights.append(copy(model))


@pytest.fixture(params=[Trainer, SteadyTrainer], ids=["noted", "told"])
def make_either(request, make_trainer):
    """In anyone's trainer, where hooks note the norms, and in ours, which tells them."""
    return partial(make_trainer, kind=request.param)


def test_a_healthy_run_is_left_alone_and_unchanged(make_either):
    guarded = make_either([Guard()])
    guarded.train()
    free = make_either([])  # made when the first is done: making a trainer sets the seed
    free.train()
    assert same(guarded.model, copy(free.model)) and guarded.state.global_step == 8
    assert not any(
        weight._backward_hooks or weight._post_accumulate_grad_hooks for weight in guarded.model.parameters()
    )


class Hooks(Keep):
    """How many gradients have hooks after each step."""

    def step(self, args, state, control, model, **kwargs):
        self.weights.append(sum(bool(weight._backward_hooks) for weight in model.parameters()))


@pytest.mark.parametrize("kind", [Trainer, SteadyTrainer])
def test_hooks_go_where_the_trainer_tells_the_norms(kind, make_trainer):
    hooks = Hooks()
    make_trainer([Guard(), hooks], kind=kind).train()
    assert len(hooks.weights) == 8 and [bool(count) for count in hooks.weights] == [kind is Trainer] * 8


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_weight_that_learns_since_later_is_guarded_too(make_trainer, accumulate):
    class Thaw(Keep):
        def step(self, args, state, control, model, **kwargs):
            model.lm_head.weight.requires_grad_(True)

    trainer = make_trainer([Guard(), Thaw()], kind=SteadyTrainer, gradient_accumulation_steps=accumulate)
    trainer.model.lm_head.weight.requires_grad_(False)
    inner = trainer.compute_loss

    def spoiled(model, inputs, **kwargs):
        loss = inner(model, inputs, **kwargs)
        if trainer.state.global_step == 3:
            loss = loss + (model.lm_head.weight * float("inf")).sum() * 0
        return loss

    trainer.compute_loss = spoiled
    with pytest.raises(TrainingStopped, match=r"step 4: gradients are not finite.*lm_head"):
        trainer.train()


@pytest.mark.parametrize("clip", [1.0, 0.0])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_names_the_first_bad_tensor_though_clipping_spoils_all(make_either, clip, value, accumulate):
    keep = Keep()
    trainer = make_either([Guard(), keep], max_grad_norm=clip, gradient_accumulation_steps=accumulate)
    poison(trainer, "model.layers.0.mlp.up_proj", 4, value)
    with pytest.raises(TrainingStopped) as stopped:
        trainer.train()
    told = str(stopped.value)
    assert told.startswith(
        "step 4: gradients are not finite, in the order of the backward pass: model.layers.0.mlp.up_proj.w"
    )
    assert "learning rate" in told and "look for a bad row" in told and "layers.1" not in told
    assert len(keep.weights) == 3 and same(
        trainer.model, keep.weights[-1]
    )  # nothing moved in the step that was stopped
    assert not any(weight._backward_hooks for weight in trainer.model.parameters())


def test_a_loss_that_is_not_finite_is_told_from_a_gradient(make_either):
    trainer = make_either([Guard()])
    inner = trainer.compute_loss
    trainer.compute_loss = lambda *a, **k: inner(*a, **k) * (float("nan") if trainer.state.global_step == 2 else 1)
    with pytest.raises(
        TrainingStopped, match="step 3: every gradient is not finite, so the loss itself is not; the weights"
    ):
        trainer.train()


def test_it_names_the_rows_when_the_loader_tells_them(make_trainer):
    trainer = make_trainer([Guard()])
    inner = trainer.get_train_dataloader

    def telling():
        loader = inner()
        loader.seen = [f"prefs.jsonl:{n}" for n in range(1, 12)]
        return loader

    trainer.get_train_dataloader = telling
    poison(trainer, "lm_head", 2)
    with pytest.raises(TrainingStopped) as stopped:
        trainer.train()
    told = str(stopped.value)
    assert (
        "; the batch held prefs.jsonl:1, " in told
        and "prefs.jsonl:8 and 3 more;" in told
        and "look at these rows" in told
    )


def test_a_weight_that_is_not_finite_is_named(make_trainer):
    trainer = make_trainer([Guard()])
    with torch.no_grad():
        trainer.model.model.layers[1].mlp.down_proj.weight[0, 0] = float("inf")
    with pytest.raises(TrainingStopped, match=r"step 1: weights are not finite: model.layers.1.mlp.down_proj.weight"):
        trainer.train()


def test_the_logged_loss_is_checked_too(tmp_path):
    args = SimpleNamespace(output_dir=str(tmp_path))
    say = lambda **logs: Guard().on_log(args, SimpleNamespace(global_step=7), None, logs=logs)  # noqa: E731
    say(loss=1.5, eval_loss=2.0, epoch=1)
    with pytest.raises(TrainingStopped, match="step 7: the loss is nan; Try a lower"):
        say(loss=float("nan"))
    with pytest.raises(TrainingStopped, match="step 7: the held-out loss is inf"):
        say(eval_loss=float("inf"))


def test_a_float16_scaler_may_overflow_but_not_forever():
    model = torch.nn.Linear(2, 2)
    guard, state = Guard(), SimpleNamespace(global_step=0)
    optimizer = SimpleNamespace(scaler=object())

    def step(value):
        model.zero_grad()
        (model(torch.ones(1, 2)) * value).sum().backward()
        guard.on_pre_optimizer_step(None, state, None, model=model, optimizer=optimizer)

    guard.on_train_begin(None, state, None, model=model)
    for _ in range(19):
        step(float("inf"))
    step(1.0)  # found its scale: the count starts anew
    for _ in range(19):
        step(float("inf"))
    with pytest.raises(TrainingStopped, match="for 20 steps in a row"):
        step(float("inf"))


def test_what_gets_no_gradient_is_named_once(make_trainer, caplog):
    trainer = make_trainer([Guard()])
    trainer.model.unused = torch.nn.Parameter(torch.ones(3))
    trainer.train()
    told = [record.message for record in caplog.records if "got no gradient" in record.message]
    assert told == ["1 parameters got no gradient in the first step and do not learn: unused"]


def test_nothing_that_could_learn_is_an_error(make_trainer):
    trainer = make_trainer([Guard()])
    trainer.compute_loss = lambda model, inputs, **k: torch.zeros((), requires_grad=True) * 1.0
    with pytest.raises(
        TrainingStopped, match=r"no parameter got a gradient in the first step.*such as model.embed_tokens"
    ):
        trainer.train()


def test_frozen_parameters_are_no_matter(make_trainer, caplog):
    trainer = make_trainer([Guard()])
    trainer.model.model.embed_tokens.requires_grad_(False)
    trainer.train()
    assert "no gradient" not in caplog.text


def test_it_is_still_a_value(make_trainer):
    guard = Guard()
    make_trainer([guard]).train()
    assert guard == Guard() and hash(guard) == hash(Guard()) and repr(guard) == "Guard()"
    assert guard.fingerprint() == Guard().fingerprint()
    make_trainer([guard]).train()  # and works again
