#!/usr/bin/env python3
"""Writes the files beside it, and prints the logits that the tests expect of them.

    python3 make.py

Made with PyTorch 2.15 and safetensors 0.8; nothing but a change of the files needs it.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn


class SmallCnn(nn.Module):
    def __init__(self, channels, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(x.mean((2, 3)))


torch.manual_seed(7)
model = SmallCnn(1, 2, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for _ in range(3):
    optimizer.zero_grad()
    F.cross_entropy(model(torch.randn(6, 1, 5, 5)), torch.randint(3, (6,))).backward()
    optimizer.step()

images = torch.tensor([(7 * i) % 11 - 5 for i in range(2 * 25)]).reshape(2, 1, 5, 5) / 5


def show(name, model):
    with torch.no_grad():
        logits = model.double().eval()(images.double()).flatten().tolist()
    model.float()
    print(name, ", ".join(f"{logit:.9f}" for logit in logits))


show("plain.pt, legacy.pt, wrapped.pt, plain.safetensors:", model)
state = model.state_dict()
torch.save(state, "plain.pt")
torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
save_file(state, "plain.safetensors")
torch.save(
    {
        "epoch": 3,
        "args": {"lr": 0.1, "seeds": {1, 2}, "dtype": torch.float32},
        "state_dict": nn.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
    },
    "wrapped.pt",
)

# What scripts and wrappers put around it.
prefixed = {f"model.{name}": value for name, value in state.items()}
torch.save({"net": nn.DataParallel(model).state_dict(), "acc": 93.0, "epoch": 199}, "net.pt")
torch.save({"model": {"name": "cnn"}, "weights": state}, "weights.pt")
torch.save({"epoch": 1, "state_dict": prefixed, "hyper_parameters": {}}, "lightning.ckpt")
torch.save(torch.optim.swa_utils.AveragedModel(model).state_dict(), "averaged.pt")

# Views into a tensor that is larger, transposed or repeated, and other number formats.
half = {name: value.clone() for name, value in state.items()}
half["fc.weight"] = half["fc.weight"].t().contiguous().t()
half["conv1.weight"] = half["conv1.weight"].half()
half["conv2.weight"] = half["conv2.weight"].bfloat16()
half["bn1.weight"] = half["bn1.weight"].double()
half["bn1.bias"] = torch.arange(8.0)[3:7:2] / 16
half["bn2.bias"] = torch.tensor([0.25]).expand(4)
torch.save(half, "views.pt")
save_file({name: value.contiguous() for name, value in half.items()}, "views.safetensors")
model.load_state_dict(half)
show("views.pt, views.safetensors:", model)

# Four gigabytes, of one value.
torch.save({"fc.bias": torch.zeros(1).expand(1 << 30)}, "repeated.pt")
