"""The benchmarks, one command: `python tests/benchmarks/run.py [CASE ...] [--repeats 5] [--out results.json]`.

Every measurement is a process of its own; the competitors of a case take their steps in turns (`turn.py`), another one
first each time. Cases are those of `cases.py`, `scaling` (what one number costs) and the scripts beside this one;
without a name, all of them.
With `--device cuda` they are `correct` (packed against padded attention), `gpu` (SmolLM2-135M's shape against the others)
and `options` (what one option of training costs and gains), or a case of `gpu` by its name; without a name, these three.
Results are added to --out as they come; `--report results.json` writes tables and plots into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import report
from cases import CASES, COMPETITORS, GPU_CASES, OPTIONS, SCRIPTS, SWEEPS, SWEPT, Case, quick
from machine import machine
from turn import step_by_step

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ON_GPU = ("correct", "gpu", "options")
EXISTING = [name for name in SCRIPTS if (HERE / f"{name}.py").exists()]
KNOWN = [*CASES, "scaling", *EXISTING, *ON_GPU]


def main() -> None:
    """Measures, or reports what was measured."""
    options = parser().parse_args()
    if options.report:
        report.write(options.report, Path(options.docs))
        return
    out = Path(options.out)
    empty: dict[str, Any] = {"cases": {}, "scaling": {}, "scripts": {}, "gpu": {}, "options": {}, "correct": []}
    found = empty | (json.loads(out.read_text()) if out.exists() else {})
    found["machine"] = machine(options.threads, options.device)
    usual = [*CASES, "scaling", *(name for name in EXISTING if options.text or name != "char_gpt")]
    for name in options.cases or (usual if options.device == "cpu" else ON_GPU):
        for _ in work(name, options, found):
            out.write_text(json.dumps(found, indent=1))
    print(report.tables(found))


def work(name: str, options: argparse.Namespace, found: dict[str, Any]) -> Iterator[None]:
    """Does what a word says and puts it into `found`; yields where there is something new."""
    if name in SCRIPTS:
        found["scripts"][name] = script(name, options)
    elif name == "scaling":
        for axis in options.axes.split(",") if (names := taking_part(name, SWEPT, options)) else ():
            for value, case in SWEEPS[axis].items():
                swept = measured(sized(case, options), options, names)
                found["scaling"].setdefault(axis, {})[str(value)] = swept
                yield
    elif name == "gpu" or (options.device == "cuda" and name in GPU_CASES):
        for case in [GPU_CASES[name]] if name in GPU_CASES else GPU_CASES.values():
            made = sized(case, options)
            if names := taking_part(made.name, case.competitors, options):
                found["gpu"][made.name] = measured(made, options, names)
                yield
    elif name == "options":
        case = sized(GPU_CASES["clm_135m_full"], options)
        if names := taking_part(name, [f"option:{option}" for option in OPTIONS], options):
            found["options"] = measured(case, options, names, repeats=1)
    elif name == "correct":
        with tempfile.TemporaryDirectory() as folder:
            (found["correct"],) = child(sized(Case("clm"), options), folder, ["correct"], options)
    else:
        case = sized(CASES[name], options)
        if names := taking_part(case.name, case.competitors, options):
            found["cases"][case.name] = measured(case, options, names, exact=True)
    yield


def taking_part(name: str, competitors: Iterable[str], options: argparse.Namespace) -> list[str]:
    """Those of --only; where there are none nothing is measured, and that is said."""
    found = [one for one in competitors if one.removeprefix("option:") in options.only.split(",")]
    if not found:
        print(f"{name}: nobody of --only={options.only} takes part", flush=True)
    return found


def sized(case: Case, options: argparse.Namespace) -> Case:
    """A case on the device, at a toy size if asked."""
    case = replace(case, device=options.device)
    return quick(case) if options.quick else case


def case_asked(text: str) -> str:
    """A word of KNOWN."""
    if text not in KNOWN:
        raise argparse.ArgumentTypeError(f"there is no {text}; choose from {', '.join(KNOWN)}")
    return text


def turns_asked(text: str) -> int:
    """One at least."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is no number of turns; give 1 or more")
    return int(text)


def axes_asked(text: str) -> str:
    """Names of SWEEPS."""
    if unknown := {*text.split(",")} - {*SWEEPS}:
        raise argparse.ArgumentTypeError(f"there is no {min(unknown)}; choose from {', '.join(SWEEPS)}")
    return text


def existing(text: str) -> str:
    """A file that is there."""
    if text and not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return text


def results_of(text: str) -> dict[str, Any]:
    """What an earlier run of this has written."""
    try:
        found: dict[str, Any] = json.loads(Path(existing(text)).read_text())
        return {"machine": found["machine"], **found}
    except (ValueError, KeyError, TypeError):
        raise argparse.ArgumentTypeError(f"{text} holds no results of this command") from None


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("cases", nargs="*", type=case_asked, metavar="CASE", help=", ".join(KNOWN))
    made.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="cuda trains in bfloat16")
    made.add_argument("--together", action="store_true", help="competitors share a process, as they do on a GPU")
    made.add_argument("--repeats", type=turns_asked, default=5, help="turns of each competitor")
    made.add_argument("--quick", action="store_true", help="a toy size, to see that everything runs")
    made.add_argument("--only", default=",".join((*COMPETITORS, *OPTIONS)), help="competitors or options, with commas")
    made.add_argument(
        "--axes", type=axes_asked, default=",".join(SWEEPS), help="what `scaling` sweeps, with commas between them"
    )
    made.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)
    made.add_argument(
        "--data",
        type=existing,
        default="",
        help="conversations for SFT (jsonl); generated rows of the same lengths else",
    )
    made.add_argument(
        "--pairs", type=existing, default="", help="preferences for DPO and ORPO (jsonl); generated rows else"
    )
    made.add_argument("--text", type=existing, default="", help="plain text for the scripts that need one")
    made.add_argument("--out", default="results.json", help="where the results are kept; what is there is updated")
    made.add_argument(
        "--report", type=results_of, metavar="RESULTS", help="measures nothing; writes these results into the docs"
    )
    made.add_argument("--docs", default=str(ROOT / "docs" / "benchmarks.md"), help="the page that --report writes into")
    return made


def measured(case: Case, options: argparse.Namespace, names: list[str], exact: bool = False, repeats: int = 0) -> Any:
    """All turns of a case, and its exactness."""
    data = options.data if case.objective == "sft" else options.pairs if case.objective in ("dpo", "orpo") else ""
    own = data and not (case.vocabulary or case.rows or case.stretch != 1)
    case = replace(case, data=str(Path(data).absolute()) if own else "")
    with tempfile.TemporaryDirectory() as folder:
        facts, runs = turns(case, folder, names, options, repeats or options.repeats, stepwise=exact)
        timed = facts["tokens"][case.warm :]
        found: dict[str, Any] = {
            "case": case.facts() | {"data": Path(case.data).name},
            "tokens_per_step": sum(timed) / len(timed),
            "accumulation": facts["accumulation"],
            "prepare_seconds": facts["prepare_seconds"],
            "load": round(os.getloadavg()[0], 2),
            "runs": runs,
        }
        if exact:
            (found["exact"],) = child(case, folder, ["exact"], options)
    found["summary"] = report.summary(found)
    return found


def turns(
    case: Case, folder: str, names: list[str], options: argparse.Namespace, repeats: int, stepwise: bool
) -> tuple[Any, list[Any]]:
    """What is known of the work, and what each competitor found in each turn, another one first each time. stepwise: they
    take their steps in turns, so that all of them are in memory at once."""
    orders = [names[turn % len(names) :] + names[: turn % len(names)] for turn in range(repeats)]
    if case.device == "cpu" and not options.together:
        (facts,) = child(case, folder, ["prepare"], options)
        if stepwise:
            return facts, [stepwise_turn(case, folder, order, options) for order in orders]
        return facts, [{name: child(case, folder, [name], options)[0] for name in order} for order in orders]
    # Starting a process takes longer than a turn; Liger's kernels change the models of the process that uses them.
    apart = [name for name in names if name == "trl_best"]
    together = [[name for name in order if name not in apart] for order in orders]
    facts, *told = child(case, folder, ["prepare", *chain(*together)], options)
    best = child(case, folder, apart * repeats, options) if apart else []
    runs = [{name: told.pop(0) for name in order} for order in together]
    return facts, [run | dict(zip(apart, best[turn : turn + 1])) for turn, run in enumerate(runs)]


def stepwise_turn(case: Case, folder: str, names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """A turn of these."""
    found = {}
    command = partial(told_to, case, folder, gated=True)
    for name, one in step_by_step(names, command, surroundings(options), case.steps).items():
        tell(case, name, one)
        found[name] = one
    return found


def told_to(case: Case, folder: str, names: list[str], gated: bool = False) -> list[str]:
    """The command of a process that does these."""
    job = {"do": names, "case": case.facts(), "folder": folder, "started": time.time(), "gated": gated}
    return [sys.executable, str(HERE / "measure.py"), json.dumps(job)]


def surroundings(options: argparse.Namespace) -> dict[str, str]:
    """The environment of a process."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "OMP_NUM_THREADS": str(options.threads), "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


def child(case: Case, folder: str, names: list[str], options: argparse.Namespace) -> list[Any]:
    """These, in a new process; one competitor that the system killed, for want of memory say, is kept as such."""
    command, environment = told_to(case, folder, names), surroundings(options)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode < 0 and names[0] in COMPETITORS:
        print(f"{case.name} {names[0]}: killed by signal {-done.returncode}", flush=True)
        return [{"killed": -done.returncode}] * len(names)
    if done.returncode:
        sys.exit(f"{case.name} {', '.join(names)}:\n{done.stderr}")
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    for name, one in zip(names, found):
        tell(case, name, one)
    if any("failed" in one for one in found):
        print(done.stderr[-8000:], file=sys.stderr, flush=True)
    return found


def tell(case: Case, name: str, found: Any) -> None:
    """A line about what was measured."""
    if name == "prepare":
        return
    told = f"{found}"
    if "steps" in found:
        mean = sum(found["steps"]) / len(found["steps"])
        told = f"{1000 * mean:.1f} ms a step, peak {found['peak_mib']} MiB"
    print(f"{case.name} {name}: {told}", flush=True)


def script(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A benchmark of its own: what it printed, and the JSON that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        known = {"out": out, "repeats": options.repeats, "text": options.text}
        words = [word for word in (word.format(**known) for word in SCRIPTS[name]) if word]
        command = [sys.executable, str(HERE / f"{name}.py"), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(done.stdout, flush=True)
        return {"printed": done.stdout, "results": json.loads(out.read_text()) if out.exists() else None}


if __name__ == "__main__":
    main()
