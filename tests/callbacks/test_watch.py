"""Watch: what looks wrong is said, with its rows, and nothing healthy is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from smolrecipes import Watch

ARGS: Any = SimpleNamespace(warmup_steps=2)


class Training:
    """Feeds a Watch as a Trainer would."""

    def __init__(self, watch: Watch, model: Any = None, past: list[dict[str, float]] | None = None) -> None:
        self.watch, self.model = watch, model or torch.nn.Linear(2, 2)
        self.state: Any = SimpleNamespace(global_step=0, is_world_process_zero=True, log_history=past or [])
        watch.on_train_begin(ARGS, self.state, None, model=self.model)  # type: ignore[arg-type]

    def log(self, loss: float, *rows: str) -> None:
        self.state.global_step += 1
        self.watch.on_step_end(ARGS, self.state, None, train_dataloader=SimpleNamespace(seen=rows))  # type: ignore[arg-type]
        self.watch.on_log(ARGS, self.state, None, logs={"loss": loss})  # type: ignore[arg-type]

    def evaluate(self, loss: float, **more: float) -> None:
        self.watch.on_evaluate(ARGS, self.state, None, metrics={"eval_loss": loss, **more})  # type: ignore[arg-type]

    def end(self) -> None:
        self.watch.on_train_end(ARGS, self.state, None, model=self.model)  # type: ignore[arg-type]


def test_a_jump_of_the_loss_is_marked_with_its_rows(caplog: pytest.LogCaptureFixture) -> None:
    training = Training(Watch())
    for step in range(10):
        training.log(3.0 - step / 50 + step % 2 / 40, "a.jsonl:1")
    assert not caplog.text
    training.log(7.5, "bad.jsonl:13", "bad.jsonl:14")
    assert "step 11: the loss jumped to 7.5000 from about 2.9" in caplog.text
    assert "their rows: bad.jsonl:13, bad.jsonl:14" in caplog.text


def test_a_falling_and_a_noisy_loss_are_none(caplog: pytest.LogCaptureFixture) -> None:
    noise = torch.Generator().manual_seed(0)
    training = Training(Watch())
    for step in range(200):
        training.log(3.0 - step / 100 + 0.2 * float(torch.randn((), generator=noise)))
    assert not caplog.text


def test_held_out_numbers_worse_than_none_are_said(caplog: pytest.LogCaptureFixture) -> None:
    training = Training(Watch())
    training.evaluate(5.0)
    training.log(5.0)
    training.evaluate(5.4)
    assert not caplog.text  # the rate is still rising
    training.log(5.0), training.log(5.0)
    training.evaluate(4.9)
    assert not caplog.text
    training.evaluate(5.2)
    assert "step 3: the held-out loss is 5.2000, and was 5.0000 before anything was learned" in caplog.text


def test_an_evaluation_without_a_loss_forgets_nothing(caplog: pytest.LogCaptureFixture) -> None:
    training = Training(Watch())
    training.evaluate(4.0)
    training.log(4.0), training.log(4.0), training.log(4.0)
    training.watch.on_evaluate(ARGS, training.state, None, metrics={"other_loss": 1.0})  # type: ignore[arg-type]
    training.evaluate(4.2)
    assert "was 4.0000 before anything was learned" in caplog.text


def test_a_held_out_loss_that_frequencies_alone_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    training = Training(Watch())
    training.log(5.0), training.log(5.0), training.log(5.0)
    training.evaluate(4.4, eval_baseline=4.5)
    assert not caplog.text
    training.evaluate(4.6, eval_baseline=4.5)
    assert "step 3: the held-out loss is 4.6000, and 4.5000 is reached by how often each token occurs" in caplog.text


def test_what_was_seen_before_an_interruption_counts(caplog: pytest.LogCaptureFixture) -> None:
    past = [{"step": 0, "eval_loss": 4.0}, *({"step": step, "loss": 3.0} for step in range(1, 7))]
    training = Training(Watch(), past=past)
    training.state.global_step = 6
    training.log(9.0, "bad.jsonl:1")
    training.evaluate(4.1)
    assert "the loss jumped to 9.0000 from about 3.0000" in caplog.text
    assert "was 4.0000 before anything was learned" in caplog.text


def test_frozen_weights_that_move_are_named(caplog: pytest.LogCaptureFixture) -> None:
    model = torch.nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    training = Training(Watch(), model)
    with torch.no_grad():
        model.weight += 1
    training.end()
    assert not caplog.text
    with torch.no_grad():
        model.bias[0] += 1e-3
    training.end()
    assert "1 frozen weights have changed: bias" in caplog.text
