"""How far two outcomes of a case are apart, on the scales of `xsam verify`."""

import math


def worst(pairs):
    """The largest deviation and what it is of. What is not a number is worse than anything."""
    return max(pairs, key=lambda pair: (math.isnan(pair[0]), pair[0]))


def deviations(expected, actual):
    """Pairs of a deviation and of what it is, for every value of a case's `expected`."""
    if "logits_eval" in expected:
        yield from of_logits(expected, actual)
        return
    if len(expected["steps"]) != len(actual["steps"]) or expected["final"].keys() != actual["final"].keys():
        raise ValueError("the outcomes are not of the same case")
    for number, (step, other) in enumerate(zip(expected["steps"], actual["steps"]), 1):
        if step.keys() != other.keys():
            raise ValueError(f"step {number} has {list(other)}, not {list(step)}")
        for name, value in step.items():
            yield from of_step(f"{name} of step {number}", name, value, other[name])
    for name, tensor in expected["final"].items():
        other = actual["final"][name]
        yield relative(tensor["norm"], other["norm"]), f"norm of {name}"
        largest = max(map(abs, tensor["first"]))
        for i, (a, b) in enumerate(zip(tensor["first"], other["first"], strict=True)):
            yield abs(a - b) / largest, f"{name}[{i}]"


def of_logits(expected, actual):
    """Of a pass: by the largest of its logits."""
    for mode, rows in expected.items():
        largest = max(abs(logit) for row in rows for logit in row)
        for i, (row, other) in enumerate(zip(rows, actual[mode], strict=True)):
            for j, (a, b) in enumerate(zip(row, other, strict=True)):
                yield abs(a - b) / largest, f"{mode} {j} of image {i}"


def of_step(what, name, value, other):
    if name == "search_losses":
        for i, (a, b) in enumerate(zip(value, other, strict=True)):
            yield relative(a, b), f"{what}, candidate {i}"
    elif name == "refined":
        yield abs(value["alpha"] - other["alpha"]), f"{what}, alpha"
        yield relative(value["loss"], other["loss"]), f"{what}, loss"
    elif name in ("psi", "alpha"):
        yield abs(value - other), what
    else:
        yield relative(value, other), what


def relative(expected, actual):
    return abs(expected - actual) / abs(expected)


def float32_deviation(double, single):
    """How far single precision strays in loss, or in a logit."""
    if "logits_eval" in double:
        return worst(deviations(double, single))[0]
    pairs = zip(double["steps"], single["steps"])
    return max(relative(a["loss"], b["loss"]) for a, b in pairs)


def float32_alpha_deviation(double, single):
    """How far it strays in alpha, which is a matter of rounding where a parabola gives it."""
    pairs = zip(double["steps"], single["steps"])
    return max(abs(a["alpha"] - b["alpha"]) for a, b in pairs)
