"""What comes out of a case: every step of its training and the tensors after it."""

import torch

from base import Sgd, cosine
from methods import method
from problem import Problem


def train(case, dtype=torch.float64, moved=0.0):
    """The `expected` of a case, or what comes out if its weights are `moved` by so much of themselves."""
    problem = Problem(case, dtype, moved)
    base = Sgd(case["base"]["momentum"], case["base"]["weight_decay"])
    optimizer = method(case)
    steps = []
    for epoch in range(case["epochs"]):
        optimizer.start_epoch()
        lr = cosine(case["base"]["lr"], epoch, case["epochs"])
        for batch in problem.batches:
            problem.weights, report = optimizer.step(problem.weights, batch, base, lr)
            steps.append(report)
    return {"steps": steps, "final": {name: summary(value) for name, value in problem.state().items()}}


def summary(tensor):
    tensor = tensor.double().flatten()
    return {"norm": tensor.norm().item(), "first": tensor[:4].tolist()}
