#!/usr/bin/env python3
"""What `xsam plan` says of a run, and what the run then takes.

    python3 benchmarks/plan.py --preset digits-noise --set method.rho=0.6 --methods sgd,xsam

Plans and then makes the same runs, in turn, method by method and round by round, each in a process of its own. The
ratio is what the plan said by what the run took: 1 is right, below 1 the plan said too little. A plan tells the speed
of a machine as it was when it was made, so leave the machine to it alone. Where that cannot be, "adjusted" is the
ratio of processor time: either side's seconds times the share of the processors that it got. Build the program
first: `cargo build --release`.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import add_program, aligned, check_program


def timed(command):
    """What a command prints, its seconds, how many of them it had a processor, and its peak in MB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"failed with {os.waitstatus_to_exitcode(status)}: {' '.join(map(str, command))}")
    # Of the processes that it has started as well.
    return printed, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def planned(program, source, method, options):
    """The plan of one method, the seconds it took to make it, and its share of a processor."""
    command = [program, "plan", *source, "--methods", method, *options, "--json", "--quiet"]
    printed, seconds, processor, _ = timed(command)
    return json.loads(printed)["methods"][0], seconds, processor / seconds


def made(program, source, method, options):
    """Seconds of the whole run, mean seconds of its epochs as metrics.csv has them, its share of a processor, and its
    peak in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "comparison"
        command = [program, "compare", *source, "--methods", method, "--seeds", "0"]
        _, seconds, processor, peak = timed([*command, *options, "--out", out, "--quiet"])
        with open(out / f"{method}-seed0" / "metrics.csv") as file:
            epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
    return seconds, statistics.mean(epochs), processor / seconds, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_program(parser)
    parser.add_argument("spec", nargs="?", help="spec file")
    parser.add_argument("--preset", help="instead of a spec file")
    parser.add_argument("--methods", default="sgd,sam,xsam", help="separated by commas")
    parser.add_argument("--set", action="append", default=[], help="changes a field of the spec")
    parser.add_argument("--steps", type=int, help="measured steps of a plan")
    parser.add_argument("--threads", type=int, help="of both (all cores)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object a round and method")
    arguments = parser.parse_args()
    check_program(parser, arguments)
    source = [arguments.spec] if arguments.spec else []
    source += ["--preset", arguments.preset] if arguments.preset else []
    for setting in arguments.set:
        source += ["--set", setting]
    options = ["--threads", str(arguments.threads)] if arguments.threads else []
    steps = ["--steps", str(arguments.steps)] if arguments.steps else []

    head = ["method", "round", "plan s", "run s", "ratio", "adjusted", "epoch ratio", "plan MB", "run MB", "load"]
    rows = [[*head, "planning s"]]
    results = []
    for i in range(arguments.rounds):
        for method in arguments.methods.split(","):
            load = os.getloadavg()[0]
            plan, planning, plan_share = planned(arguments.xsam, source, method, options + steps)
            took, epoch, run_share, peak = made(arguments.xsam, source, method, options)
            said = plan["estimate"]
            ratio = said["total_s"] / took
            result = {
                "method": method,
                "round": i + 1,
                "plan_s": said["total_s"],
                "run_s": took,
                "ratio": ratio,
                "adjusted": ratio * plan_share / run_share,
                "epoch_ratio": said["epoch_s"] / epoch,
                "plan_mb": plan["measured"]["peak_mb"],
                "run_mb": peak,
                "load": load,
                "planning_s": planning,
            }
            if arguments.json:
                print(json.dumps(result), flush=True)
            else:
                print(f"{method}, round {i + 1}: {ratio:.2f}", file=sys.stderr, flush=True)
            results.append(result)
            numbers = list(result.values())[2:]
            rows.append([method, str(i + 1), *(f"{n:.2f}" for n in numbers)])
    if not arguments.json:
        print("\n".join(aligned(rows, {0})))
        for method in arguments.methods.split(","):
            def of_method(field):
                values = [result[field] for result in results if result["method"] == method]
                return f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})"

            print(f"{method}: the plan said {of_method('ratio')} of what the run took, adjusted {of_method('adjusted')}")


if __name__ == "__main__":
    main()
