#!/usr/bin/env python3
"""xsam and PyTorch on the same steps, in turn, and the ratio of their times.

    python3 benchmarks/compare.py --model resnet18 --method sgd,xsam --batch 32

Runs `xsam bench` and `pytorch.py` in either memory layout round by round, each in a process of its
own, so that a machine whose speed drifts treats all alike. Every number is a median over the
rounds. Build the program first: `cargo build --release`. Python needs torch: `pip install torch`;
`--compile` needs a C++ compiler as well. Both sides may be held to other instructions, by XSAM_ISA
and ONEDNN_MAX_CPU_ISA.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from variants import OPEN

HERE = Path(__file__).resolve().parent
LAYOUTS = ["contiguous", "channels_last"]
# How PyTorch computes besides plainly, if it is asked for.
VARIANTS = {"compile": "compiled", "bf16": "bfloat16"}
FIELDS = ["median_s", "min_s", "search_s", "peak_rss_mb"]


def lines_of(command, **options):
    """The JSON objects that a command prints, one a line."""
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if run.returncode != 0:
        sys.exit(f"failed with {run.returncode}: {' '.join(map(str, command))}")
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def add_program(parser):
    """The option that says where the program is."""
    program = HERE.parent / "target/release/xsam"
    parser.add_argument("--xsam", default=program, help="the program (target/release/xsam)")


def check_program(parser, arguments):
    if not Path(arguments.xsam).exists():
        parser.error(f"there is no {arguments.xsam}: build it with `cargo build --release`")


def aligned(rows, to_the_left):
    """Rows of text as lines with aligned columns, some of them to the left."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = (
            cell.ljust(width) if i in to_the_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        yield "  ".join(cells).rstrip()


def summary(lines):
    """The last of the lines, with each measured value the median over all of them."""
    medians = {}
    for field in FIELDS:
        values = [line[field] for line in lines if line[field] is not None]
        medians[field] = statistics.median(values) if values else None
    return {**lines[-1], **medians}


def compare(arguments, model, method):
    options = ["--model", model, "--method", method]
    left_out = {"ascent"} if method == "sgd" else set()
    left_out |= {"width", "depth", "patch", "heads"} - OPEN.get(model, {}).keys()
    left_out |= {"image-size"} if model == "transformer" else {"tokens", "vocabulary"}
    names = "batch", "steps", "image-size", "tokens", "vocabulary", "threads", "width", "depth", "patch", "heads", "ascent"
    for name in names:
        value = getattr(arguments, name.replace("-", "_"))
        if name in left_out:
            continue
        if value is not None:
            options += [f"--{name}", str(value)]
    sides = {"xsam": [arguments.xsam, "bench", *options, "--json"]}
    # Only images have another layout.
    for layout in LAYOUTS[:1] if model == "transformer" else LAYOUTS:
        script = [sys.executable, HERE / "pytorch.py", *options]
        script += ["--layout", layout, "--json"]
        sides[layout] = script
        for flag, name in VARIANTS.items():
            if getattr(arguments, flag):
                sides[f"{layout} {name}"] = [*script, f"--{flag}"]

    lines = {name: [] for name in sides}
    for i in range(arguments.rounds):
        for name, command in sides.items():
            lines[name] += lines_of(command)
            took = lines[name][-1]["median_s"]
            label = f"{model}, {method}, round {i + 1} of {arguments.rounds}, {name}"
            print(f"{label}: {took:.3f} s", file=sys.stderr, flush=True)

    sides = {name: {**summary(side), "name": name} for name, side in lines.items()}
    ours = sides.pop("xsam")
    # What has fewer digits is shown, and not what is compared with.
    same = [side for side in sides.values() if not side["bf16"]]
    better = min(same, key=lambda side: side["median_s"])

    def ratio(field):
        pair = ours[field], better[field]
        return None if None in pair else pair[0] / pair[1]

    # Each round by itself: how far the ratio strays.
    rounds = [
        a["median_s"] / b["median_s"] for a, b in zip(lines["xsam"], lines[better["name"]])
    ]
    return {
        "model": model,
        "method": method,
        "batch": arguments.batch,
        "threads": ours["threads"],
        "rounds": arguments.rounds,
        "xsam": ours,
        "pytorch": list(sides.values()),
        "better": better["name"],
        "ratio": ratio("median_s"),
        "ratio_least": min(rounds),
        "ratio_most": max(rounds),
        "ratio_search": ratio("search_s"),
        "ratio_memory": ratio("peak_rss_mb"),
    }


def table(results):
    def number(value, digits):
        return "-" if value is None else f"{value:.{digits}f}"

    head = ["model", "method", "side", "median s", "least s", "search s", "peak MB", "ratio"]
    rows = [head]
    for result in results:
        better = result["better"]
        spread = f"{result['ratio_least']:.2f}..{result['ratio_most']:.2f}"
        notes = {"xsam": f"{result['ratio']:.2f} ({spread})", better: "1.00"}
        for side in [result["xsam"], *result["pytorch"]]:
            name = side["name"]
            rows.append([
                result["model"],
                result["method"],
                name if name == "xsam" else f"pytorch {name}",
                number(side["median_s"], 3),
                number(side["min_s"], 3),
                number(side["search_s"], 3),
                number(side["peak_rss_mb"], 0),
                notes.get(name, number(side["median_s"] / next(
                    s["median_s"] for s in result["pytorch"] if s["name"] == better
                ), 2)),
            ])
    return aligned(rows, {0, 1, 2, 7})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_program(parser)
    parser.add_argument("--model", default="resnet18", help="one or more, separated by commas")
    parser.add_argument("--method", default="xsam", help="one or more, separated by commas")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int, help="of a model that can be wider")
    parser.add_argument("--depth", type=int, help="of wide_resnet, vit and mixer")
    parser.add_argument("--patch", type=int, help="of vit and mixer")
    parser.add_argument("--heads", type=int, help="of vit")
    parser.add_argument("--ascent", type=int, help="ascent steps of sam and xsam")
    parser.add_argument("--steps", type=int, default=10, help="timed steps in each process")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=25, help="of a sentence, for transformer")
    parser.add_argument("--vocabulary", type=int, default=8000, help="for transformer")
    parser.add_argument("--threads", type=int, default=cores(), help="of both sides (all cores)")
    parser.add_argument("--rounds", type=int, default=3, help="at least 3")
    parser.add_argument("--compile", action="store_true", help="PyTorch by torch.compile as well")
    parser.add_argument("--bf16", action="store_true", help="PyTorch in bfloat16 as well")
    parser.add_argument("--json", action="store_true", help="one JSON object a comparison")
    arguments = parser.parse_args()
    if arguments.rounds < 3:
        parser.error("--rounds: must be at least 3")
    check_program(parser, arguments)

    results = []
    for model in arguments.model.split(","):
        for method in arguments.method.split(","):
            results.append(compare(arguments, model, method))
            if arguments.json:
                print(json.dumps(results[-1]), flush=True)
    if not arguments.json:
        shared = f"batch {arguments.batch}, {results[0]['threads']} threads"
        torch = results[0]["pytorch"][0]["kernels"]
        print(f"{shared}, medians of {arguments.rounds} rounds; {torch}, xsam on", end=" ")
        against = "layout, eager or compiled," if arguments.compile else "layout"
        print(f"{results[0]['xsam']['kernels']}.\nratio: to the better {against} of PyTorch (range)\n")
        print("\n".join(table(results)))


if __name__ == "__main__":
    main()
