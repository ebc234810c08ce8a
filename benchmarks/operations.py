#!/usr/bin/env python3
"""Single operations in xsam and in PyTorch, forward and backward, in turn, and the ratio of their times.

    python3 benchmarks/operations.py

Runs `cargo bench --workspace --bench operations -- --json` and the same operations in PyTorch (eager)
round by round, each in a process of its own, so that a machine whose speed drifts treats all alike.
Every number is a median over the rounds. Python needs torch: `pip install torch`.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from compare import aligned, cores, lines_of

HERE = Path(__file__).resolve().parent
OURS = ["cargo", "bench", "--quiet", "--workspace", "--bench", "operations", "--", "--json"]
PASSES = ["forward_s", "backward_s"]


def operations(torch):
    """Name, function and inputs of each operation: those of `crates/xsam-kernels/benches/operations`."""
    F = torch.nn.functional
    sentences, tokens, width, heads, hidden = 16, 128, 512, 8, 2048
    classes, words = 10_000, 8000
    rows = sentences * tokens
    linear_rows = 32 * 25

    def numbers(*shape):
        return (2 * torch.rand(*shape) - 1).requires_grad_()

    def attention(causal):
        # Here true means that a key may be attended to. The last tokens of every other sentence are padding.
        open_keys = torch.ones(sentences, 1, 1, tokens, dtype=torch.bool)
        open_keys[::2, ..., tokens - 16 :] = False
        if causal:
            open_keys = open_keys & torch.ones(tokens, tokens, dtype=torch.bool).tril()
        return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=open_keys)

    def cross_entropy():
        targets = torch.randint(classes, (rows,))
        return lambda x: F.cross_entropy(x, targets, label_smoothing=0.1)

    def embedding():
        ids = torch.randint(words, (sentences, tokens))
        return lambda weight: F.embedding(ids, weight, padding_idx=0)

    qkv = [numbers(sentences, heads, tokens, width // heads) for _ in range(3)]
    layer = [numbers(rows, hidden), numbers(hidden)]
    x = numbers(rows, width)
    return [
        ("layer_norm", lambda *i: F.layer_norm(i[0], [width], *i[1:]), [x, numbers(width), numbers(width)]),
        ("softmax", lambda x: F.softmax(x, -1), [numbers(sentences, heads, tokens, tokens)]),
        ("attention", attention(causal=False), qkv),
        ("attention_causal", attention(causal=True), qkv),
        ("cross_entropy", cross_entropy(), [numbers(rows, classes)]),
        ("embedding", embedding(), [numbers(words, width)]),
        ("bias_gelu", lambda x, bias: F.gelu(x + bias), layer),
        ("bias_relu", lambda x, bias: F.relu(x + bias), layer),
        ("dropout", lambda x: F.dropout(x, 0.1), [x]),
        ("linear", F.linear, [numbers(linear_rows, width), numbers(width, width), numbers(width)]),
        ("tied_linear", F.linear, [numbers(linear_rows, width), numbers(words, width)]),
    ]


def median_seconds(run):
    """The median time of a run, over enough of them to fill the time, after some that are not counted."""
    for _ in range(3):
        run()
    seconds = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.25 or len(seconds) < 5:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median_high(seconds)


def measure(threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    for name, function, inputs in operations(torch):
        output = function(*inputs)
        gradient = torch.rand_like(output)

        def backward():
            torch.autograd.grad(output, inputs, gradient, retain_graph=True)

        line = {"operation": name, "forward_s": median_seconds(lambda: function(*inputs))}
        line["backward_s"] = median_seconds(backward)
        print(json.dumps(line), flush=True)


def compare(arguments):
    theirs = [sys.executable, __file__, "--pytorch", "--threads", str(arguments.threads)]
    threads = {**os.environ, "RAYON_NUM_THREADS": str(arguments.threads)}
    # Compilation is no part of the first round.
    lines_of([*OURS[:-2], "--no-run"], cwd=HERE.parent)
    sides = {"xsam": [], "pytorch": []}
    for i in range(arguments.rounds):
        print(f"round {i + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        sides["xsam"] += lines_of(OURS, cwd=HERE.parent, env=threads)
        sides["pytorch"] += lines_of(theirs)

    names = list(dict.fromkeys(line["operation"] for line in sides["xsam"]))
    for name in names:
        result = {"operation": name, "threads": arguments.threads, "rounds": arguments.rounds}
        for field in PASSES:
            for side, lines in sides.items():
                values = [line[field] for line in lines if line["operation"] == name]
                result[f"{side}_{field}"] = statistics.median(values) if values else None
        yield result


def table(results):
    yield ["operation", "pass", "xsam ms", "PyTorch ms", "ratio"]
    for result in results:
        for field in PASSES:
            ours, theirs = result[f"xsam_{field}"], result[f"pytorch_{field}"]
            row = [result["operation"], field.removesuffix("_s"), f"{1e3 * ours:.3f}"]
            yield row + (["-", "-"] if theirs is None else [f"{1e3 * theirs:.3f}", f"{ours / theirs:.2f}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=cores(), help="of both sides (all cores)")
    parser.add_argument("--rounds", type=int, default=3, help="at least 3")
    parser.add_argument("--pytorch", action="store_true", help="only PyTorch, one JSON object an operation")
    parser.add_argument("--json", action="store_true", help="one JSON object an operation")
    arguments = parser.parse_args()
    if arguments.rounds < 3:
        parser.error("--rounds: must be at least 3")
    if arguments.pytorch:
        return measure(arguments.threads)
    results = list(compare(arguments))
    if arguments.json:
        for result in results:
            print(json.dumps(result))
    else:
        print("\n".join(aligned(list(table(results)), {0, 1})))


if __name__ == "__main__":
    main()
