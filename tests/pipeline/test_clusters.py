"""The same pipeline through datatrove's executors; a cluster's commands are played by scripts."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

from smolrecipes import DropDuplicates, Files, FixText, Keep, RecipeError, Transform
from smolrecipes.cache import kept_in, place
from smolrecipes.pipeline import jobs, shards
from smolrecipes.pipeline.clusters import named, on
from smolrecipes.pipeline.reading import Read
from smolrecipes.pipeline.stages import prepared, spread_by
from smolrecipes.pipeline.tasks import Apply

SBATCH = """#!{python}
import os, subprocess, sys
script = sys.stdin.read() if len(sys.argv) < 2 or not os.path.exists(sys.argv[-1]) else open(sys.argv[-1]).read()
last = [line for line in script.splitlines() if "--array=" in line]
count = int(last[0].split("=0-")[1].split("%")[0]) + 1 if last else 0
if "launch_pickled_pipeline" in script:
    command = [line for line in script.splitlines() if "launch_pickled_pipeline" in line][0].split()
    for index in range(count):
        env = {{**os.environ, "SLURM_ARRAY_TASK_ID": str(index), "SLURM_NODELIST": "here"}}
        subprocess.run([sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline", command[-1]], env=env, check=False,
                       stdout=open("slurm.log", "a"), stderr=subprocess.STDOUT)
print("Submitted batch job 17")
"""


class Fails(Transform, name="fails"):
    """A step that cannot go on."""

    def treat(self, row):
        raise ValueError("no way")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shards, "ROWS", 10)
    Path("a.txt").write_text("\n".join(f"line {n % 20} has some words in it \u2126 &amp;" for n in range(60)))
    return tmp_path


def data() -> Files:
    return Files("a.txt", rows="lines").pipe(FixText("NFKC"), DropDuplicates())


def test_datatrove_on_this_machine(here):
    whole = prepared(data()).load()[:]
    with kept_in(here / "other"), spread_by(on("local", here / "logs", workers=2)):
        spread = prepared(data())
    assert len(spread.shards) == 6 and spread.load()[:] == whole and len(whole["text"]) == 20
    with kept_in(here / "other"):
        assert prepared(data()).folder == spread.folder  # what an executor made is found again without it


def test_processes_end_though_somebody_handles_signals(here):
    """As a training does: a forked process with its handler would not end with its pool."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with spread_by(on("local", here / "logs", workers=4)):
            assert len(prepared(data()).load()) == 20
        assert callable(signal.getsignal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)


def test_slurm(here, monkeypatch):
    commands = {
        "sbatch": SBATCH.format(python=sys.executable),
        "squeue": "#!/bin/sh\n",
        "scontrol": "#!/bin/sh\necho here\n",
    }
    (here / "bin").mkdir()
    for name, script in commands.items():
        (here / "bin" / name).write_text(script)
        (here / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    )
    whole = prepared(data()).load()[:]
    with kept_in(here / "other"), spread_by(named("slurm:partition=cpu,time=00:10:00,tasks_per_job=3", here / "logs")):
        assert prepared(Files("a.txt", rows="lines").pipe(FixText("NFKC"))).load()["text"][:1] == [
            "line 0 has some words in it Ω &"
        ]
        assert prepared(data()).load()[:] == whole


def test_what_goes_wrong_is_a_sentence(here):
    with pytest.raises(RecipeError, match="no executor 'slurn'; did you mean 'slurm'"):
        on("slurn", here)
    with pytest.raises(RecipeError, match="has no option 'worker'; did you mean 'workers'"):
        on("local", here, worker=2)
    with pytest.raises(RecipeError, match="needs partition and time"):
        on("slurm", here)
    alone = spread_by(on("local", here / "logs", workers=1))
    with alone, pytest.raises(RecipeError, match=r"no way; more in .*executor\.log"):
        prepared(data().pipe(Fails()))
    with pytest.raises(RecipeError, match="'cpu' should be OPTION=VALUE"):
        named("slurm:cpu", here)


RULES = """
from smolrecipes import Files, Keep, Transform
from smolrecipes.kinds import Outcome
class Own(Transform, name="own_step"):
    def treat(self, row):
        return Outcome(row)
def long(row):
    return True
"""


def test_what_other_machines_lack_is_a_sentence(here, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))  # `abs_` can be imported, as a package's function can
    spec = importlib.util.spec_from_file_location("_recipe_rules_01234567", here / "rules.py")
    (here / "rules.py").write_text(RULES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        for step, name in ((module.Own(), "Own"), (Keep(module.long), "long")):
            task = Apply(step, (), here, False)
            with pytest.raises(RecipeError, match=f"--on slurm: {name} is of a recipe file, which other machines"):
                jobs.check(task, "slurm")
    finally:
        del sys.modules[spec.name]
    for url in (f"file://{here}/a.txt", (f"file://{here}/a.txt",)):
        parts = tuple(Files(url, rows="lines").parts())
        with pytest.raises(RecipeError, match="--on ray: the source is at a URL and was copied to"):
            jobs.check(Read(parts, here), "ray")
    jobs.check(Read(tuple(Files("a.txt").parts()), here), "ray")
    jobs.check(Apply(Keep(abs_), (), here, False), "ray")


def abs_(row):
    return True


def test_a_cluster_is_asked_before_anything_is_sent_to_it(here, monkeypatch):
    monkeypatch.setattr("smolrecipes.pipeline.clusters._checked", lambda executor, options: None)
    with spread_by(on("ray", here / "logs")), pytest.raises(RecipeError, match="the source is at a URL"):
        prepared(Files(f"file://{here}/a.txt", rows="lines").pipe(FixText()))


def test_jobs_find_the_folder_and_what_is_kept(here, monkeypatch):
    found = []
    with kept_in(Path("kept")):
        assert place() == here / "kept"
        job = jobs.Job(lambda rank: found.append((rank, Path.cwd(), place())))
    (here / "other").mkdir()
    monkeypatch.chdir(here / "other")
    assert job("data", 3) == "data" and found == [(3, here, here / "kept")] and Path.cwd() == here / "other"


@pytest.mark.parametrize(
    ("answers", "looks"),
    [
        (["echo 17", "exit 1", "exit 1", "echo 17", "true"], 5),
        (["echo slurm_load_jobs error: Invalid job id specified >&2; exit 1"], 1),
        (["exit 1", "exit 1", "echo down >&2; exit 1"], 3),
    ],
    ids=["it ends", "it is forgotten", "nobody answers"],
)
def test_a_queue_that_does_not_answer_has_not_lost_the_job(answers, looks, here, monkeypatch):
    (here / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(jobs, "PAUSE", 0)
    asked = []

    def left():
        script = here / "bin" / "squeue"
        script.write_text(f"#!/bin/sh\n{answers[len(asked)]}\n")
        script.chmod(0o755)
        asked.append(1)
        return True

    if len(answers) == 3:
        with pytest.raises(RecipeError, match=r"squeue says nothing of job 17 \(down\), which may run on"):
            jobs.wait(left, "17")
    else:
        jobs.wait(left, "17")
    assert len(asked) == looks
    jobs.wait(lambda: False, "17")
