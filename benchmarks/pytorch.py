#!/usr/bin/env python3
"""Seconds per training step in PyTorch, eager or compiled: the counterpart of `xsam bench`.

    python3 benchmarks/pytorch.py --model resnet18 --method xsam --batch 32 --threads 2

Needs torch (`pip install torch`). Each memory layout is measured in a process of its own, so that
the peaks of memory do not mix. The models are those of xsam-models, and the methods are written
from the papers' formulas (SAM: arXiv 2010.01412, XSAM: arXiv 2603.10048), with the cheapest
operations that PyTorch offers for them.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from variants import OPEN

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
WARM_UP = 2
RHO = 0.15
RHO_MAX = 0.30
# Where on the arc the update lies: not at 1, where it is the gradient as it is.
ALPHA = 1.2
ALPHAS = [i / 10 for i in range(21)]
EPSILON = 1e-12


# Models


def conv(inputs, outputs, kernel, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(conv(inputs, outputs, 1, stride))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x):
        residual = F.relu(self.bn1(self.conv1(x)), inplace=True)
        residual = self.bn2(self.conv2(residual))
        residual += self.shortcut(x)
        return F.relu(residual, inplace=True)


class Resnet18(nn.Module):
    def __init__(self, channels, classes, width):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, width, 3), nn.BatchNorm2d(width)
        self.blocks = nn.Sequential()
        inputs = width
        for stage in range(4):
            outputs = width << stage
            self.blocks.append(BasicBlock(inputs, outputs, 1 if stage == 0 else 2))
            self.blocks.append(BasicBlock(outputs, outputs, 1))
            inputs = outputs
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.linear(self.blocks(x).mean((2, 3)))


class Vgg11Bn(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.features = nn.Sequential()
        inputs = channels
        for step in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"):
            if step == "pool":
                self.features.append(nn.MaxPool2d(2))
                continue
            self.features.append(conv(inputs, step, 3, bias=True))
            self.features.append(nn.BatchNorm2d(step))
            self.features.append(nn.ReLU(inplace=True))
            inputs = step
        self.classifier = nn.Sequential(
            nn.Linear(512, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 128, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(128), conv(128, 32, 3)

    def forward(self, x):
        new = self.conv1(F.relu(self.bn1(x), inplace=True))
        new = self.conv2(F.relu(self.bn2(new), inplace=True))
        return torch.cat([x, new], 1)


class Densenet121(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.features = nn.Sequential(conv(channels, 64, 3))
        width = 64
        for block, layers in enumerate((6, 12, 24, 16)):
            if block > 0:
                self.features.append(nn.BatchNorm2d(width))
                self.features.append(conv(width, width // 2, 1))
                self.features.append(nn.AvgPool2d(2))
                width //= 2
            for _ in range(layers):
                self.features.append(DenseLayer(width))
                width += 32
        self.bn = nn.BatchNorm2d(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        x = F.relu(self.bn(self.features(x)), inplace=True)
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs, 3)
        self.shortcut = None if inputs == outputs else conv(inputs, outputs, 1, stride)

    def forward(self, x):
        y = F.relu(self.bn1(x), inplace=True)
        if self.shortcut is not None:
            x = self.shortcut(y)
        y = F.relu(self.bn2(self.conv1(y)), inplace=True)
        return x + self.conv2(y)


class WideResnet(nn.Module):
    def __init__(self, channels, classes, width, depth):
        super().__init__()
        self.features = nn.Sequential(conv(channels, 16, 3))
        inputs = 16
        for stage in range(3):
            outputs = (16 << stage) * width
            for block in range((depth - 4) // 6):
                self.features.append(WideBlock(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
                inputs = outputs
        self.bn, self.fc = nn.BatchNorm2d(inputs), nn.Linear(inputs, classes)

    def forward(self, x):
        return self.fc(F.relu(self.bn(self.features(x)), inplace=True).mean((2, 3)))


def network(columns, hidden):
    return nn.Sequential(nn.Linear(columns, hidden), nn.GELU(), nn.Linear(hidden, columns))


class VitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = network(width, 4 * width)

    def forward(self, x):
        query, key, value = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value)
        x = x + self.proj(seen.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self, channels, classes, image_size, width, depth, patch, heads):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (image_size // patch) ** 2 + 1, width))
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.blocks = nn.Sequential(*(VitBlock(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x)[:, 0]))


class MixerBlock(nn.Module):
    def __init__(self, width, patches):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.tokens, self.channels = network(patches, width // 2), network(width, 4 * width)

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, channels, classes, image_size, width, depth, patch):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.blocks = nn.Sequential(*(MixerBlock(width, (image_size // patch) ** 2) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(1))


DROPOUT = 0.3
LABEL_SMOOTHING = 0.1
# Ids of no words, the first of which fills up sentences.
SPECIAL = 3


def residual(norm, x, branch):
    """After the branch has been added, as in "Attention Is All You Need"."""
    return norm(x + F.dropout(branch, DROPOUT))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)

    def forward(self, x, seen, mask):
        def split(y):
            return y.unflatten(2, (self.heads, -1)).transpose(1, 2)

        query, key, value = split(self.query(x)), split(self.key(seen)), split(self.value(seen))
        joined = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(joined.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x), inplace=True))


class Layer(nn.Module):
    def __init__(self, dim, hidden, heads, decodes):
        super().__init__()
        self.attention, self.norm1 = Attention(dim, heads), nn.LayerNorm(dim)
        if decodes:
            self.cross, self.norm2 = Attention(dim, heads), nn.LayerNorm(dim)
        self.feed_forward, self.norm3 = FeedForward(dim, hidden), nn.LayerNorm(dim)

    def forward(self, x, mask, memory=None, memory_mask=None):
        x = residual(self.norm1, x, self.attention(x, x, mask))
        if memory is not None:
            x = residual(self.norm2, x, self.cross(x, memory, memory_mask))
        return residual(self.norm3, x, self.feed_forward(x))


class Transformer(nn.Module):
    """Six layers in encoder and decoder; the table of the targets makes the logits as well."""

    def __init__(self, vocabulary, dim=512, hidden=1024, heads=4, layers=6):
        super().__init__()
        self.scale = math.sqrt(dim)
        self.source = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.target = nn.Embedding(vocabulary, dim, padding_idx=0)
        for table in (self.source, self.target):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.encoder, self.decoder = (
            nn.ModuleList(Layer(dim, hidden, heads, decodes) for _ in range(layers))
            for decodes in (False, True)
        )

    def embed(self, table, ids):
        places = torch.arange(1, 1 + ids.shape[1]).unsqueeze(1)
        half = table.embedding_dim // 2
        angles = places * torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1)))
        places = torch.cat([angles.sin(), angles.cos()], 1)
        return F.dropout(table(ids) * self.scale + places, DROPOUT)

    def forward(self, source, target):
        # True where a key may be attended to.
        seen = (source != 0)[:, None, None, :]
        earlier = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).tril()
        earlier = earlier & (target != 0)[:, None, None, :]
        memory = self.embed(self.source, source)
        for layer in self.encoder:
            memory = layer(memory, seen)
        x = self.embed(self.target, target)
        for layer in self.decoder:
            x = layer(x, earlier, memory, seen)
        return F.linear(x, self.target.weight)


def resolved(arguments):
    """What is open of the model, as it is given or by default."""
    defaults = OPEN.get(arguments.model, {})
    given = {field: getattr(arguments, field) for field in ("width", "depth", "patch", "heads")}
    given = {field: value for field, value in given.items() if value is not None}
    for field in given.keys() - defaults.keys():
        sys.exit(f"--{field}: not of {arguments.model}; leave it out")
    return {field: value for field, value in {**defaults, **given}.items() if value is not None}


def build(arguments):
    sizes = (arguments.channels, arguments.classes)
    variant = resolved(arguments)
    image = arguments.image_size
    if arguments.model == "resnet18":
        return Resnet18(*sizes, **variant)
    if arguments.model == "wide_resnet":
        return WideResnet(*sizes, **variant)
    if arguments.model == "vit":
        return Vit(*sizes, image, **{"heads": max(variant["width"] // 64, 1), **variant})
    if arguments.model == "mixer":
        return Mixer(*sizes, image, **variant)
    if arguments.model == "transformer":
        return Transformer(arguments.vocabulary)
    return {"vgg11_bn": Vgg11Bn, "densenet121": Densenet121}[arguments.model](*sizes)


# Vectors: lists of tensors, one for each parameter


def norm(vector):
    return torch.stack(torch._foreach_norm(vector)).norm().item()


def flat(tensor):
    """The values in the order of memory, without a copy where they are dense."""
    if tensor.dim() == 4 and not tensor.is_contiguous():
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(-1)


def dot(a, b):
    terms = [
        torch.dot(flat(x), flat(y)) if x.stride() == y.stride() else (x * y).sum()
        for x, y in zip(a, b)
    ]
    return torch.stack(terms).sum().item()


# Methods


class Trainee:
    """A model in training by one of the methods: `step` is a whole training step."""

    def __init__(self, model, method, ascent_steps, batch, compiled=False, bf16=False):
        self.model, self.method, self.ascent_steps = model, method, ascent_steps
        self.forward = torch.compile(model) if compiled else model
        self.bf16 = bf16
        self.batch = batch
        self.steps = 0
        self.weights = list(model.parameters())
        self.norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        self.search_s = None
        if isinstance(model, Transformer):
            self.base = torch.optim.AdamW(self.weights, lr=1e-4, weight_decay=1e-4, fused=True)
        else:
            self.base = torch.optim.SGD(
                self.weights, lr=1e-4, momentum=0.9, weight_decay=1e-3, fused=True
            )

    def loss(self):
        device = self.weights[0].device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.bf16):
            return self.loss_of_pass()

    def loss_of_pass(self):
        if isinstance(self.model, Transformer):
            # The passes of a step see the same masks.
            torch.manual_seed(self.steps)
            source, words, targets = self.batch
            logits = self.forward(source, words).flatten(0, 1)
            targets = targets.flatten()
            return F.cross_entropy(
                logits, targets, ignore_index=0, label_smoothing=LABEL_SMOOTHING
            )
        images, targets = self.batch
        return F.cross_entropy(self.forward(images), targets)

    def gradient(self):
        self.base.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        # A training loop looks at its losses, to log them and to stop where they are not finite.
        loss.item()
        return [weight.grad for weight in self.weights]

    def keep_statistics(self, keep):
        """Whether the next passes, in training mode all the same, leave running statistics alone."""
        for module in self.norms:
            module.track_running_stats = not keep

    def step(self, search=False):
        self.steps += 1
        gradient = self.gradient()
        if self.method != "sgd":
            self.keep_statistics(True)
            self.sharpness_aware(gradient, search)
            self.keep_statistics(False)
        self.base.step()

    def sharpness_aware(self, gradient, search):
        """Replaces the gradient at the weights by the method's."""
        with torch.no_grad():
            start = [weight.clone() for weight in self.weights]
        for _ in range(self.ascent_steps):
            length = RHO / self.ascent_steps / (norm(gradient) + EPSILON)
            with torch.no_grad():
                torch._foreach_add_(self.weights, gradient, alpha=length)
            gradient = self.gradient()
        with torch.no_grad():
            if self.method == "xsam":
                displacement = torch._foreach_sub(self.weights, start)
                self.xsam(start, displacement, gradient, search)
            torch._foreach_copy_(self.weights, start)

    def xsam(self, start, displacement, gradient, search):
        d, g = norm(displacement), norm(gradient)
        cosine = dot(displacement, gradient) / (d * g)
        psi = math.acos(max(-1.0, min(1.0, cosine)))

        def factors(alpha):
            """Of displacement and gradient in v(alpha), which has length 1."""
            sine = math.sin(psi)
            if sine < 1e-8:
                return (1 / d, 0.0) if cosine > 0 else (0.0, 1 / g)
            return math.sin((1 - alpha) * psi) / sine / d, math.sin(alpha * psi) / sine / g

        if search:
            losses, begin = [], None
            for alpha in ALPHAS:
                a, b = factors(alpha)
                torch._foreach_copy_(self.weights, start)
                torch._foreach_add_(self.weights, displacement, alpha=RHO_MAX * a)
                torch._foreach_add_(self.weights, gradient, alpha=RHO_MAX * b)
                # As in xsam: from the first forward pass to the last.
                begin = begin or time.perf_counter()
                losses.append(self.loss())
            self.search_s = time.perf_counter() - begin
            torch.stack(losses).argmax().item()
        a, b = factors(ALPHA)
        torch._foreach_mul_(gradient, g * b)
        torch._foreach_add_(gradient, displacement, alpha=g * a)


# Measurement


def peak_rss_mb():
    """The high-water mark of resident memory in 10^6 bytes; None where the system does not tell."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    return None


def random_batch(arguments, layout):
    """The inputs of a pass and its targets."""
    if arguments.model == "transformer":
        shape = (arguments.batch, arguments.tokens)
        return [torch.randint(SPECIAL, arguments.vocabulary, shape) for _ in range(3)]
    # Uniform, of variance 1.
    size = arguments.image_size
    images = torch.rand(arguments.batch, arguments.channels, size, size)
    images = ((2 * images - 1) * math.sqrt(3)).contiguous(memory_format=LAYOUTS[layout])
    return images, torch.randint(arguments.classes, (arguments.batch,))


def measure(arguments, layout):
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    start_rss_mb = peak_rss_mb()
    device = torch.device(arguments.device)
    model = build(arguments).to(device, memory_format=LAYOUTS[layout])
    ascent_steps = arguments.ascent or 1
    batch = [tensor.to(device) for tensor in random_batch(arguments, layout)]
    compiled, bf16 = arguments.compile, arguments.bf16
    trainee = Trainee(model, arguments.method, ascent_steps, batch, compiled, bf16)

    def seconds():
        start = time.perf_counter()
        trainee.step()
        if device.type != "cpu":
            torch.accelerator.synchronize()
        return time.perf_counter() - start

    for _ in range(WARM_UP):
        seconds()
    steps = [seconds() for _ in range(arguments.steps)]
    peak = peak_rss_mb()
    if arguments.method == "xsam":
        if compiled:
            # A first search compiles its passes.
            trainee.step(search=True)
        trainee.step(search=True)
    return {
        "side": "pytorch",
        "model": arguments.model,
        "method": arguments.method,
        "batch": arguments.batch,
        "width": resolved(arguments).get("width"),
        "depth": resolved(arguments).get("depth"),
        "tokens": arguments.tokens if arguments.model == "transformer" else None,
        "ascent_steps": None if arguments.method == "sgd" else ascent_steps,
        "median_s": statistics.median_high(steps),
        "min_s": min(steps),
        "search_s": trainee.search_s,
        "peak_rss_mb": peak,
        "threads": torch.get_num_threads(),
        "device": arguments.device,
        # Convolutions round their factors to 10 bits there unless told otherwise.
        "tf32": device.type == "cuda" and torch.backends.cudnn.allow_tf32,
        "kernels": f"torch {torch.__version__}",
        "layout": layout,
        "compiled": compiled,
        "bf16": bf16,
        # What Python and torch hold before there is a model.
        "start_rss_mb": start_rss_mb,
    }


def in_own_process(layout):
    """The line of one layout, from this script run again."""
    command = [sys.executable, __file__, *sys.argv[1:], "--layout", layout, "--json"]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(run.returncode)
    return json.loads(run.stdout)


def text(line):
    search = "" if line["search_s"] is None else f", search {line['search_s']:.3f} s"
    memory = "" if line["peak_rss_mb"] is None else f", peak memory {line['peak_rss_mb']:.0f} MB"
    return (
        f"{line['model']}, {line['method']}, batch {line['batch']}, {line['layout']}"
        f"{', compiled' if line['compiled'] else ''}{', bfloat16' if line['bf16'] else ''}: "
        f"{line['median_s']:.3f} s median, {line['min_s']:.3f} s least{search}{memory}, "
        f"{line['threads']} threads"
    )


def count(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default="resnet18",
        choices=["resnet18", "vgg11_bn", "densenet121", "wide_resnet", "vit", "mixer", "transformer"],
    )
    parser.add_argument("--method", default="xsam", choices=["sgd", "sam", "xsam"])
    parser.add_argument("--batch", type=count, default=32)
    parser.add_argument("--width", type=count)
    parser.add_argument("--depth", type=count)
    parser.add_argument("--patch", type=count)
    parser.add_argument("--heads", type=count)
    parser.add_argument("--ascent", type=count)
    parser.add_argument("--steps", type=count, default=10)
    parser.add_argument("--image-size", type=count, default=32)
    parser.add_argument("--channels", type=count, default=3)
    parser.add_argument("--classes", type=count, default=10)
    parser.add_argument("--tokens", type=count, default=25, help="of a sentence, for transformer")
    parser.add_argument("--vocabulary", type=count, default=8000, help="for transformer")
    parser.add_argument("--threads", type=count)
    parser.add_argument("--device", default="cpu", help="as torch names it, cuda say")
    parser.add_argument("--layout", default="both", choices=["both", *LAYOUTS])
    parser.add_argument("--compile", action="store_true", help="by torch.compile")
    parser.add_argument("--bf16", action="store_true", help="passes in bfloat16 where autocast has them")
    parser.add_argument("--json", action="store_true", help="one JSON object a layout")
    arguments = parser.parse_args()
    show = json.dumps if arguments.json else text
    if arguments.model == "transformer":
        # Its tensors have one layout only.
        arguments.layout = "contiguous"
    if arguments.layout == "both":
        for layout in LAYOUTS:
            print(show(in_own_process(layout)), flush=True)
    else:
        print(show(measure(arguments, arguments.layout)))


if __name__ == "__main__":
    main()
