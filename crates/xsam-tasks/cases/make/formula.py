"""Values that a formula gives, so that a case need not store them: weights, images and targets of a seed."""

import math

import torch

WORD = (1 << 64) - 1

# Streams of a seed: parameter tensor j has seed * STREAMS + j.
STREAMS = 1000
IMAGES = 900
TARGETS = 901
MOVED = 902


def unit(stream, count):
    """The first `count` values of a stream in [0, 1): splitmix64 of stream and position, to 53 bits."""
    values = []
    for i in range(count):
        z = ((stream << 32) + i + 0x9E3779B97F4A7C15) & WORD
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
        values.append(((z ^ (z >> 31)) >> 11) * 2.0**-53)
    return torch.tensor(values, dtype=torch.float64)


def symmetric(stream, count, bound):
    return (2 * unit(stream, count) - 1) * bound


def tensor(seed, j, name, shape):
    """Tensor `j` of a model, in the order of PyTorch's state_dict."""
    stream, count = seed * STREAMS + j, math.prod(shape)
    if name.endswith("running_var"):
        values = 0.5 + unit(stream, count)
    elif name.endswith(("running_mean", "bias")):
        values = symmetric(stream, count, 0.1)
    elif len(shape) == 1:
        values = 0.5 + unit(stream, count)
    else:
        values = symmetric(stream, count, math.sqrt(6 * shape[0] / count))
    return values.reshape(shape)


def images(seed, shape):
    """Uniform, of variance 1."""
    return symmetric(seed * STREAMS + IMAGES, math.prod(shape), math.sqrt(3)).reshape(shape)


def targets(seed, shape, classes):
    values = unit(seed * STREAMS + TARGETS, math.prod(shape))
    return (values * classes).floor().to(torch.int64).reshape(shape)
