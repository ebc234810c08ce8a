#!/usr/bin/env python3
"""How the time of a step grows: with the method, threads, batch size and ascent steps.

    python3 benchmarks/scaling.py --model resnet18

Runs `xsam bench` in every setting, round by round and each in a process of its own, so that a machine
whose speed drifts treats all alike. Every number is a median over the rounds. Build the program first:
`cargo build --release`.
"""

import argparse
import statistics
import sys

from compare import add_program, aligned, check_program, cores, lines_of


def medians(arguments, settings):
    """The medians over the rounds of what each setting's lines say, the settings taken in turn."""
    lines = {name: [] for name in settings}
    for i in range(arguments.rounds):
        for name, options in settings.items():
            command = [arguments.xsam, "bench", "--model", arguments.model, "--json"]
            lines[name] += lines_of([*command, *map(str, options)])
            took = lines[name][-1]["median_s"]
            print(f"round {i + 1} of {arguments.rounds}, {name}: {took:.3f} s", file=sys.stderr)
    fields = ["median_s", "search_s", "peak_rss_mb"]
    return {
        name: {
            field: statistics.median(line[field] for line in lines[name])
            for field in fields
            if lines[name][0][field] is not None
        }
        for name in settings
    }


def show(title, rows):
    print(f"{title}\n")
    print("\n".join(aligned(rows, {0})), end="\n\n", flush=True)


def methods(arguments):
    names = ["sgd", "sam", "xsam"]
    threads = ["--threads", arguments.threads]
    found = medians(arguments, {name: ["--method", name, *threads] for name in names})
    sgd = found["sgd"]["median_s"]
    rows = [["method", "median s", "times sgd", "search s", "search / (21 sgd)", "peak MB"]]
    for name in names:
        line = found[name]
        search = line.get("search_s")
        rows.append([
            name,
            f"{line['median_s']:.3f}",
            f"{line['median_s'] / sgd:.2f}",
            "-" if search is None else f"{search:.3f}",
            "-" if search is None else f"{search / (21 * sgd):.2f}",
            f"{line['peak_rss_mb']:.0f}",
        ])
    show("methods, batch 32", rows)


def threads(arguments):
    counts = [1, arguments.threads]
    found = medians(arguments, {n: ["--method", "sgd", "--threads", n] for n in counts})
    one = found[1]["median_s"]
    rows = [["threads", "median s", "times as fast"]]
    for n in counts:
        rows.append([str(n), f"{found[n]['median_s']:.3f}", f"{one / found[n]['median_s']:.2f}"])
    show("threads, sgd, batch 32", rows)


def batches(arguments):
    sizes = [8, 16, 32, 64, 128, 256]
    options = ["--method", "sgd", "--threads", arguments.threads, "--steps", 5, "--batch"]
    found = medians(arguments, {size: [*options, size] for size in sizes})
    rows = [["batch", "median s", "ms an image", "peak MB"]]
    for size in sizes:
        line = found[size]
        image = 1e3 * line["median_s"] / size
        peak = f"{line['peak_rss_mb']:.0f}"
        rows.append([str(size), f"{line['median_s']:.3f}", f"{image:.2f}", peak])
    show("batch size, sgd", rows)


def ascents(arguments):
    counts = [1, 2, 3, 4]
    options = ["--method", "xsam", "--threads", arguments.threads, "--steps", 5, "--ascent"]
    found = medians(arguments, {n: [*options, n] for n in counts})
    rows = [["ascent steps", "median s", "passes", "s a pass"]]
    for n in counts:
        took = found[n]["median_s"]
        rows.append([str(n), f"{took:.3f}", str(n + 1), f"{took / (n + 1):.3f}"])
    show("ascent steps, xsam, batch 32", rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_program(parser)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--threads", type=int, default=cores(), help="at most (all cores)")
    parser.add_argument("--rounds", type=int, default=3)
    tables = {table.__name__: table for table in [methods, threads, batches, ascents]}
    parser.add_argument("--table", choices=tables, help="only this one")
    arguments = parser.parse_args()
    check_program(parser, arguments)
    for name, table in tables.items():
        if arguments.table in [None, name]:
            table(arguments)


if __name__ == "__main__":
    main()
