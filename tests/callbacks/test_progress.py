"""Progress: a plain line per log when piped, a bar in a terminal, and only from the main process."""

from __future__ import annotations

import re
import sys

import pytest

from smolrecipes.callbacks import progress
from smolrecipes.callbacks.progress import Progress


def steps(printed):
    return [line for line in printed.splitlines() if line.startswith("step ")]


def test_piped_it_prints_a_line_per_log(make_trainer, capsys):
    make_trainer([Progress()], eval_strategy="steps", eval_steps=4, include_num_input_tokens_seen="all").train()
    found = steps(capsys.readouterr().out)
    assert [line.split()[1] for line in found] == ["2/8", "4/8", "4/8", "6/8", "8/8", "8/8"]
    assert re.match(r"step 2/8  loss \d\.\d{4}  [\d,]+ tokens/s  ETA 00:\d\d", found[0])
    assert "held-out" not in found[1] and re.search(r"held-out \d\.\d{4}", found[2])
    assert "held-out" not in found[3] and "ETA 00:00" in found[-1]
    if sys.platform != "win32":
        assert re.search(r"  [\d.]+ [GM]iB$", found[0])


def test_without_a_count_of_tokens_there_is_no_speed(make_trainer, capsys):
    make_trainer([Progress()]).train()
    assert "tokens/s" not in capsys.readouterr().out


def test_tokens_per_second_is_since_the_last_log(monkeypatch):
    from types import SimpleNamespace

    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    line = progress._Line(None, 0, 100.0, 0, 100.0)
    for now, seen, expected in ((102.0, 1000, "500"), (104.0, 5000, "2,000")):
        clock[0] = now
        state = SimpleNamespace(num_input_tokens_seen=seen)
        assert progress._speed(line, state, {"loss": 1.0}) == {"speed": f"{expected} tokens/s"}
    clock[0] = 114.0  # ten seconds of evaluation are not training
    assert progress._speed(line, state, {"eval_loss": 1.0}) == {}
    clock[0] = 115.0
    assert progress._speed(line, SimpleNamespace(num_input_tokens_seen=6000), {"loss": 1.0}) == {
        "speed": "1,000 tokens/s"
    }
    state = SimpleNamespace(global_step=10, max_steps=1010)
    assert progress._left(line, state) == {"left": "ETA 25:00"}
    state.max_steps = 10010
    assert progress._left(line, state) == {"left": "ETA 4:10:00"}


def test_what_throughput_found_is_told_with_what_is_lost():
    line = progress._Line(None, 0, 100.0, 0, 100.0)
    logs = {"loss": 1.0, "tokens_per_second": 12345.6, "padding_share": 0.004, "time_data": 0.03, "mfu": 0.412}
    told = {"speed": "12,346 tokens/s (41% MFU)  3% waiting for data"}
    assert progress._speed(line, None, logs) == told
    more = {"loss": 1.0, "tokens_per_second": 10.0, "padding_share": 0.25, "time_data": 0.0}
    assert progress._speed(line, None, more) == {"speed": "10 tokens/s  25% padding"}
    assert progress._speed(line, None, {**more, "padding_share": 0.0}) == {"speed": "10 tokens/s"}


def test_in_a_terminal_it_is_a_bar(make_trainer, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    shown = Progress()
    make_trainer([shown]).train()
    printed = capsys.readouterr().out
    assert "━" in printed and "8/8" in printed and "loss" in printed and not steps(printed)
    assert shown._line() is None and printed.count("\x1b[?25l") == printed.count("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize("main", [True, False])
def test_only_the_main_process_prints(make_trainer, capsys, main):
    trainer = make_trainer([Progress()])
    inner = type(trainer)._init_training_state

    def init(*args, **kwargs):
        result = inner(trainer, *args, **kwargs)
        trainer.state.is_world_process_zero = main
        return result

    trainer._init_training_state = init
    trainer.train()
    assert bool(steps(capsys.readouterr().out)) is main


def test_it_is_still_a_value(make_trainer):
    shown = Progress()
    make_trainer([shown]).train()
    assert shown == Progress() and repr(shown) == "Progress()"
