"""The models of the cases, as functions of their tensors.

A model says the shapes of its tensors, in the order of PyTorch's state_dict, and computes logits from tensors by
name. Running statistics are among them: training mode takes those of the batch, and moves the running ones only
where they are given.
"""

import torch.nn.functional as F


class Mlp:
    """Linear(192, 32), ReLU, Linear(32, classes) on a flat image of 3 x 8 x 8."""

    def __init__(self, classes, width=32):
        self.shapes = {
            "fc1.weight": (width, 192),
            "fc1.bias": (width,),
            "fc2.weight": (classes, width),
            "fc2.bias": (classes,),
        }

    def logits(self, tensors, images, statistics):
        hidden = F.relu(F.linear(images.flatten(1), tensors["fc1.weight"], tensors["fc1.bias"]))
        return F.linear(hidden, tensors["fc2.weight"], tensors["fc2.bias"])


class SmallCnn:
    """Two convolutions without bias, each with batch norm and ReLU, the mean over space, and a linear layer."""

    def __init__(self, classes, width=8):
        self.shapes = {
            "conv1.weight": (width, 3, 3, 3),
            **norm("bn1", width),
            "conv2.weight": (2 * width, width, 3, 3),
            **norm("bn2", 2 * width),
            "fc.weight": (classes, 2 * width),
            "fc.bias": (classes,),
        }

    def logits(self, tensors, images, statistics):
        x = F.conv2d(images, tensors["conv1.weight"], padding=1)
        x = F.relu(batch_norm("bn1", tensors, x, statistics))
        x = F.conv2d(x, tensors["conv2.weight"], stride=2, padding=1)
        x = F.relu(batch_norm("bn2", tensors, x, statistics))
        return F.linear(x.mean(dim=(2, 3)), tensors["fc.weight"], tensors["fc.bias"])


class Resnet18:
    """For images of 32 x 32: four layers of two blocks, of 1, 2, 4 and 8 times `width` channels; all but the first halve the image."""

    def __init__(self, classes, width):
        self.blocks = []
        self.shapes = {"conv1.weight": (width, 3, 3, 3), **norm("bn1", width)}
        inputs = width
        for layer in range(4):
            outputs = width << layer
            for block in range(2):
                name, stride = f"layer{layer + 1}.{block}", 2 if layer > 0 and block == 0 else 1
                self.blocks.append((name, stride))
                self.shapes |= {
                    f"{name}.conv1.weight": (outputs, inputs, 3, 3),
                    **norm(f"{name}.bn1", outputs),
                    f"{name}.conv2.weight": (outputs, outputs, 3, 3),
                    **norm(f"{name}.bn2", outputs),
                }
                if inputs != outputs:
                    shortcut = {f"{name}.shortcut.0.weight": (outputs, inputs, 1, 1), **norm(f"{name}.shortcut.1", outputs)}
                    self.shapes |= shortcut
                inputs = outputs
        self.shapes |= {"linear.weight": (classes, inputs), "linear.bias": (classes,)}

    def logits(self, tensors, images, statistics):
        def convolved(of, name, norm, stride=1, padding=1):
            y = F.conv2d(of, tensors[f"{name}.weight"], stride=stride, padding=padding)
            return batch_norm(norm, tensors, y, statistics)

        x = F.relu(convolved(images, "conv1", "bn1"))
        for name, stride in self.blocks:
            y = F.relu(convolved(x, f"{name}.conv1", f"{name}.bn1", stride))
            y = convolved(y, f"{name}.conv2", f"{name}.bn2")
            if f"{name}.shortcut.0.weight" in tensors:
                x = convolved(x, f"{name}.shortcut.0", f"{name}.shortcut.1", stride, padding=0)
            x = F.relu(y + x)
        return F.linear(x.mean(dim=(2, 3)), tensors["linear.weight"], tensors["linear.bias"])


def norm(name, channels):
    parts = "weight", "bias", "running_mean", "running_var"
    return {f"{name}.{part}": (channels,) for part in parts}


def batch_norm(name, tensors, x, statistics):
    """In training mode. PyTorch moves running statistics in place, by 0.1 and with the unbiased variance."""
    mean = statistics and statistics[f"{name}.running_mean"]
    variance = statistics and statistics[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, tensors[f"{name}.weight"], tensors[f"{name}.bias"], training=True)


MODELS = {"mlp": Mlp, "small_cnn": SmallCnn, "resnet18": Resnet18}
