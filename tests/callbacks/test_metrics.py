"""Metrics: every logged number, once, also when the run was interrupted."""

from __future__ import annotations

import contextlib
import json

from smolrecipes.callbacks.metrics import Metrics


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_logged_number_is_a_line(make_trainer, tmp_path):
    trainer = make_trainer([Metrics()], folder="run/checkpoints", eval_strategy="steps", eval_steps=4)
    trainer.train()
    found = lines(tmp_path / "run" / "metrics.jsonl")  # beside the checkpoints
    logged = [{k: v for k, v in row.items() if k not in ("time",)} for row in found]
    assert logged == [{**row, "step": row["step"]} for row in trainer.state.log_history]
    assert [row["step"] for row in found if "loss" in row] == [2, 4, 6, 8]
    assert [list(row)[:3] for row in found] == [["step", "epoch", "time"]] * len(found)
    times = [row["time"] for row in found]
    assert times == sorted(times) and times[0] > 0


def test_elsewhere_and_in_a_foreign_folder(make_trainer, tmp_path):
    make_trainer([Metrics(), Metrics(path=str(tmp_path / "deep" / "m.jsonl"))], folder="mine").train()
    strip = lambda rows: [{k: v for k, v in row.items() if k != "time"} for row in rows]  # noqa: E731
    assert strip(lines(tmp_path / "mine" / "metrics.jsonl")) == strip(lines(tmp_path / "deep" / "m.jsonl"))


def test_a_resumed_run_has_every_step_once(make_trainer, tmp_path, caplog):
    how = {"save_strategy": "steps", "save_steps": 4, "eval_strategy": "steps", "eval_steps": 4, "logging_steps": 1}
    whole = make_trainer([Metrics()], folder="whole", **how)
    whole.train()

    class Killed(Exception):
        pass

    broken = make_trainer([Metrics()], folder="run", **how)
    inner = broken.training_step

    def step(*args, **kwargs):
        if broken.state.global_step == 6:
            raise Killed
        return inner(*args, **kwargs)

    broken.training_step = step
    with contextlib.suppress(Killed):
        broken.train()
    path = tmp_path / "run" / "metrics.jsonl"
    assert lines(path)[-1]["step"] == 6
    with path.open("a") as file:
        file.write('{"step": 7, "lo')  # torn by the kill
    before = max(row["time"] for row in lines_ok(path))
    make_trainer([Metrics()], folder="run", **how, eval_on_start=True).train(
        resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-4")
    )
    assert "3 lines beyond step 4 dropped" in caplog.text
    key = lambda row: (row["step"], "loss" in row, "eval_loss" in row)  # noqa: E731
    assert [key(row) for row in lines(path)] == [key(row) for row in lines(tmp_path / "whole" / "metrics.jsonl")]
    losses = lambda p: [row["loss"] for row in lines(p) if "loss" in row]  # noqa: E731
    assert losses(path) == losses(tmp_path / "whole" / "metrics.jsonl")
    times = [row["time"] for row in lines(path)]
    assert times == sorted(times) and before > 0


def lines_ok(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def test_a_new_run_sets_the_old_file_aside(make_trainer, tmp_path, caplog):
    metrics = Metrics()
    make_trainer([metrics]).train()
    old = (tmp_path / "out" / "metrics.jsonl").read_text()
    make_trainer([metrics]).train()
    assert (tmp_path / "out" / "metrics.1.jsonl").read_text() == old
    assert len(lines(tmp_path / "out" / "metrics.jsonl")) == len(old.splitlines())
    assert "it is now metrics.1.jsonl" in caplog.text


def test_what_json_has_no_number_for(make_trainer, tmp_path):
    trainer = make_trainer([Metrics()])
    trainer.log({"loss": float("nan"), "grad_norm": float("inf")})
    text = (tmp_path / "out" / "metrics.jsonl").read_text()
    assert json.loads(text, parse_constant=lambda name: 1 / 0) | {"time": 0} == {
        "step": 0, "epoch": 0, "time": 0, "loss": "nan", "grad_norm": "inf",
    }  # fmt: skip


def test_only_the_main_process_writes(make_trainer, tmp_path):
    trainer = make_trainer([Metrics()])
    trainer.state.is_world_process_zero = False
    trainer.log({"loss": 1.0})
    assert not (tmp_path / "out" / "metrics.jsonl").exists()


def test_it_is_still_a_value(make_trainer):
    metrics = Metrics()
    make_trainer([metrics]).train()
    assert metrics == Metrics() and repr(metrics) == "Metrics()" and hash(metrics) == hash(Metrics())
