"""The benchmarks, one command: `python tests/benchmarks/run.py [CASE ...] [--repeats 5] [--out results.json]`.

Every measurement is a process of its own; the competitors of a case take turns, another one first each time. Cases are
those of `cases.py`, `scaling` (what one number costs) and the scripts beside this one; without a name, all of them.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import report
from cases import CASES, COMPETITORS, SCRIPTS, SWEEPS, SWEPT, Case, quick
from machine import machine

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXISTING = [name for name in SCRIPTS if (HERE / f"{name}.py").exists()]


def main() -> None:
    """Measures, or reports what was measured."""
    options = parser().parse_args()
    if options.report:
        report.write(json.loads(Path(options.report).read_text()), Path(options.docs))
        return
    out = Path(options.out)
    found = json.loads(out.read_text()) if out.exists() else {"cases": {}, "scaling": {}, "scripts": {}}
    found["machine"] = machine(options.threads)
    for name in options.cases or [
        *CASES,
        "scaling",
        *(name for name in EXISTING if options.text or name != "char_gpt"),
    ]:
        if name in SCRIPTS:
            found["scripts"][name] = script(name, options)
        elif name == "scaling":
            for axis in options.axes.split(","):
                for value, case in SWEEPS[axis].items():
                    swept = measured(quick(case) if options.quick else case, options, SWEPT)
                    found["scaling"].setdefault(axis, {})[str(value)] = swept
                    out.write_text(json.dumps(found, indent=1))
        else:
            case = quick(CASES[name]) if options.quick else CASES[name]
            found["cases"][case.name] = measured(case, options, case.competitors, exact=True)
        out.write_text(json.dumps(found, indent=1))
    print(report.tables(found))


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "cases", nargs="*", choices=[*CASES, "scaling", *EXISTING, []], metavar="CASE", help=", ".join(CASES)
    )
    made.add_argument("--repeats", type=int, default=5, help="turns of each competitor")
    made.add_argument("--quick", action="store_true", help="a toy size, to see that everything runs")
    made.add_argument("--only", default=",".join(COMPETITORS), help="competitors, with commas between them")
    made.add_argument("--axes", default=",".join(SWEEPS), help="what `scaling` sweeps, with commas between them")
    made.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)
    made.add_argument(
        "--data", default="", help="conversations for SFT (jsonl); generated rows of the same lengths else"
    )
    made.add_argument("--pairs", default="", help="preferences for DPO and ORPO (jsonl); generated rows else")
    made.add_argument("--text", default="", help="plain text for the scripts that need one")
    made.add_argument("--out", default="results.json", help="where the results are kept; what is there is updated")
    made.add_argument("--report", metavar="RESULTS", help="measures nothing; writes these results into the docs")
    made.add_argument("--docs", default=str(ROOT / "docs" / "benchmarks.md"), help="the page that --report writes into")
    return made


def measured(case: Case, options: argparse.Namespace, competitors: tuple[str, ...], exact: bool = False) -> Any:
    """All turns of a case, and its exactness."""
    data = options.data if case.objective == "sft" else options.pairs if case.objective in ("dpo", "orpo") else ""
    own = data and not (case.vocabulary or case.rows or case.stretch != 1)
    case = replace(case, data=str(Path(data).absolute()) if own else "")
    taking_part = [name for name in competitors if name in options.only.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        facts = child(case, folder, "prepare", options)
        timed = facts["tokens"][case.warm :]
        found: dict[str, Any] = {
            "case": case.facts() | {"data": Path(case.data).name},
            "tokens_per_step": sum(timed) / len(timed),
            "accumulation": facts["accumulation"],
            "prepare_seconds": facts["prepare_seconds"],
            "load": round(os.getloadavg()[0], 2),
            "runs": [],
        }
        for turn in range(options.repeats):
            first = turn % len(taking_part)
            order = taking_part[first:] + taking_part[:first]
            found["runs"].append({name: child(case, folder, name, options) for name in order})
        if exact:
            found["exact"] = child(case, folder, "exact", options)
    found["summary"] = report.summary(found)
    return found


def child(case: Case, folder: str, competitor: str, options: argparse.Namespace) -> Any:
    """One measurement in a new process; one that the system killed, for want of memory say, is kept as such."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}
    job = {"competitor": competitor, "case": case.facts(), "folder": folder, "started": time.time()}
    command = [sys.executable, str(HERE / "measure.py"), json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode < 0 and competitor in COMPETITORS:
        print(f"{case.name} {competitor}: killed by signal {-done.returncode}", flush=True)
        return {"killed": -done.returncode}
    if done.returncode:
        sys.exit(f"{case.name} {competitor}:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    if competitor in COMPETITORS:
        mean = sum(found["steps"]) / len(found["steps"])
        print(f"{case.name} {competitor}: {1000 * mean:.1f} ms a step, peak {found['peak_mib']} MiB", flush=True)
    elif competitor == "exact":
        print(f"{case.name} exact: {found}", flush=True)
    return found


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
