"""The models of the cases, as functions of their tensors.

A model says the shapes of its tensors, in the order of PyTorch's state_dict, and computes logits from tensors by
name. Running statistics are among them: training mode takes those of the batch, and moves the running ones only
where they are given.
"""

import math

import torch
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


class WideResnet:
    """WRN-d-k: three stages of (d - 4) / 6 blocks, of 16 k, 32 k and 64 k channels; the later two halve the image."""

    def __init__(self, classes, width, depth):
        self.blocks = []
        self.shapes = {"conv1.weight": (16, 3, 3, 3)}
        inputs = 16
        for stage in range(3):
            outputs = (16 << stage) * width
            for block in range((depth - 4) // 6):
                name, stride = f"block{stage + 1}.layer.{block}", 2 if stage > 0 and block == 0 else 1
                self.blocks.append((name, stride))
                self.shapes |= {
                    **norm(f"{name}.bn1", inputs),
                    f"{name}.conv1.weight": (outputs, inputs, 3, 3),
                    **norm(f"{name}.bn2", outputs),
                    f"{name}.conv2.weight": (outputs, outputs, 3, 3),
                }
                if inputs != outputs:
                    self.shapes |= {f"{name}.convShortcut.weight": (outputs, inputs, 1, 1)}
                inputs = outputs
        self.shapes |= {**norm("bn1", inputs), "fc.weight": (classes, inputs), "fc.bias": (classes,)}

    def logits(self, tensors, images, statistics):
        def rectified(name, x):
            return F.relu(batch_norm(name, tensors, x, statistics))

        x = F.conv2d(images, tensors["conv1.weight"], padding=1)
        for name, stride in self.blocks:
            normalized = rectified(f"{name}.bn1", x)
            y = F.conv2d(normalized, tensors[f"{name}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(rectified(f"{name}.bn2", y), tensors[f"{name}.conv2.weight"], padding=1)
            if f"{name}.convShortcut.weight" in tensors:
                x = F.conv2d(normalized, tensors[f"{name}.convShortcut.weight"], stride=stride)
            x = x + y
        return F.linear(rectified("bn1", x).mean(dim=(2, 3)), tensors["fc.weight"], tensors["fc.bias"])


class Vit:
    """Vision Transformer: blocks that normalize before attention and before a network of 4 `width` hidden units."""

    def __init__(self, classes, width, depth, patch, heads, image_size, pooling="class-token"):
        self.patch, self.heads, self.depth = patch, heads, depth
        self.has_token = pooling == "class-token"
        tokens = (image_size // patch) ** 2 + self.has_token
        self.last = "norm" if self.has_token else "fc_norm"
        self.shapes = {"cls_token": (1, 1, width)} if self.has_token else {}
        self.shapes |= {"pos_embed": (1, tokens, width), **layer("patch_embed.proj", (width, 3, patch, patch))}
        for block in range(depth):
            name = f"blocks.{block}"
            self.shapes |= {
                **layer(f"{name}.norm1", (width,)),
                **layer(f"{name}.attn.qkv", (3 * width, width)),
                **layer(f"{name}.attn.proj", (width, width)),
                **layer(f"{name}.norm2", (width,)),
                **layer(f"{name}.mlp.fc1", (4 * width, width)),
                **layer(f"{name}.mlp.fc2", (width, 4 * width)),
            }
        self.shapes |= {**layer(self.last, (width,)), **layer("head", (classes, width))}

    def logits(self, tensors, images, statistics):
        x = embedded("patch_embed.proj", tensors, images, self.patch)
        if self.has_token:
            x = torch.cat([tensors["cls_token"].expand(len(x), 1, -1), x], 1)
        x = x + tensors["pos_embed"]
        for block in range(self.depth):
            name = f"blocks.{block}"
            qkv = through(f"{name}.attn.qkv", tensors, layer_norm(f"{name}.norm1", tensors, x))
            query, key, value = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
            seen = (scores.softmax(3) @ value).transpose(1, 2).flatten(2)
            x = x + through(f"{name}.attn.proj", tensors, seen)
            x = x + network(f"{name}.mlp", tensors, layer_norm(f"{name}.norm2", tensors, x))
        x = x[:, 0] if self.has_token else x.mean(1)
        return through("head", tensors, layer_norm(self.last, tensors, x))


class Mixer:
    """MLP-Mixer: networks of width / 2 hidden units over the patches, and of 4 `width` over the columns."""

    def __init__(self, classes, width, depth, patch, image_size):
        self.patch, self.depth = patch, depth
        patches = (image_size // patch) ** 2
        self.shapes = layer("stem.proj", (width, 3, patch, patch))
        for block in range(depth):
            name = f"blocks.{block}"
            self.shapes |= {
                **layer(f"{name}.norm1", (width,)),
                **layer(f"{name}.mlp_tokens.fc1", (width // 2, patches)),
                **layer(f"{name}.mlp_tokens.fc2", (patches, width // 2)),
                **layer(f"{name}.norm2", (width,)),
                **layer(f"{name}.mlp_channels.fc1", (4 * width, width)),
                **layer(f"{name}.mlp_channels.fc2", (width, 4 * width)),
            }
        self.shapes |= {**layer("norm", (width,)), **layer("head", (classes, width))}

    def logits(self, tensors, images, statistics):
        x = embedded("stem.proj", tensors, images, self.patch)
        for block in range(self.depth):
            name = f"blocks.{block}"
            columns = layer_norm(f"{name}.norm1", tensors, x).transpose(1, 2)
            x = x + network(f"{name}.mlp_tokens", tensors, columns).transpose(1, 2)
            x = x + network(f"{name}.mlp_channels", tensors, layer_norm(f"{name}.norm2", tensors, x))
        return through("head", tensors, layer_norm("norm", tensors, x).mean(1))


def layer(name, shape):
    """Weight of this shape, and bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def embedded(name, tensors, images, patch):
    x = F.conv2d(images, tensors[f"{name}.weight"], tensors[f"{name}.bias"], stride=patch)
    return x.flatten(2).transpose(1, 2)


def through(name, tensors, x):
    return F.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def network(name, tensors, x):
    return through(f"{name}.fc2", tensors, F.gelu(through(f"{name}.fc1", tensors, x)))


def layer_norm(name, tensors, x):
    return F.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps=1e-6)


class Kept(dict):
    """Running statistics by which an evaluation normalizes."""


def norm(name, channels):
    parts = "weight", "bias", "running_mean", "running_var"
    return {f"{name}.{part}": (channels,) for part in parts}


def batch_norm(name, tensors, x, statistics):
    """In training mode, unless the statistics are kept. PyTorch moves running ones in place, by 0.1 and with the unbiased variance."""
    mean = statistics and statistics[f"{name}.running_mean"]
    variance = statistics and statistics[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, tensors[f"{name}.weight"], tensors[f"{name}.bias"], training=not isinstance(statistics, Kept))


MODELS = {
    "mlp": Mlp,
    "small_cnn": SmallCnn,
    "resnet18": Resnet18,
    "wide_resnet": WideResnet,
    "vit": Vit,
    "mixer": Mixer,
}
# Whose tensors depend on the size of the image.
SIZED = {"vit", "mixer"}
