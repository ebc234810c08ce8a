"""The models of the cases, as functions of their tensors.

A model says the shapes of its tensors, in the order of PyTorch's state_dict, and computes logits from tensors by
name. Running statistics are among them: training mode takes those of the batch, and moves the running ones only
where they are given.
"""

import torch.nn.functional as F


class Mlp:
    """Linear(192, 32), ReLU, Linear(32, classes) on a flat image of 3 x 8 x 8."""

    def __init__(self, classes):
        self.shapes = {
            "fc1.weight": (32, 192),
            "fc1.bias": (32,),
            "fc2.weight": (classes, 32),
            "fc2.bias": (classes,),
        }

    def logits(self, tensors, images, statistics):
        hidden = F.relu(F.linear(images.flatten(1), tensors["fc1.weight"], tensors["fc1.bias"]))
        return F.linear(hidden, tensors["fc2.weight"], tensors["fc2.bias"])


class SmallCnn:
    """Two convolutions without bias, each with batch norm and ReLU, the mean over space, and a linear layer."""

    def __init__(self, classes):
        self.shapes = {
            "conv1.weight": (8, 3, 3, 3),
            **norm("bn1", 8),
            "conv2.weight": (16, 8, 3, 3),
            **norm("bn2", 16),
            "fc.weight": (classes, 16),
            "fc.bias": (classes,),
        }

    def logits(self, tensors, images, statistics):
        x = F.conv2d(images, tensors["conv1.weight"], padding=1)
        x = F.relu(batch_norm("bn1", tensors, x, statistics))
        x = F.conv2d(x, tensors["conv2.weight"], stride=2, padding=1)
        x = F.relu(batch_norm("bn2", tensors, x, statistics))
        return F.linear(x.mean(dim=(2, 3)), tensors["fc.weight"], tensors["fc.bias"])


def norm(name, channels):
    parts = "weight", "bias", "running_mean", "running_var"
    return {f"{name}.{part}": (channels,) for part in parts}


def batch_norm(name, tensors, x, statistics):
    """In training mode. PyTorch moves running statistics in place, by 0.1 and with the unbiased variance."""
    mean = statistics and statistics[f"{name}.running_mean"]
    variance = statistics and statistics[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, tensors[f"{name}.weight"], tensors[f"{name}.bias"], training=True)


MODELS = {"mlp": Mlp, "small_cnn": SmallCnn}
