"""The loss of a batch as a function of one flat vector: all parameters of a model, end to end.

On such a vector norms and dot products are over all parameters at once, and a method reads as its paper's formulas.
"""

import math

import torch
import torch.nn.functional as F

import formula
from models import MODELS, SIZED, Kept


class Problem:
    """Model, weights, running statistics and batches of a case, in one precision."""

    def __init__(self, case, dtype, moved=0.0):
        """Weights are `moved` by so much of themselves, each up or down."""
        seed, sizes = case["seed"], {**case["model"]}
        name = sizes.pop("name")
        if name in SIZED:
            sizes["image_size"] = case["image_size"]
        self.model = MODELS[name](**sizes)
        classes = sizes["classes"]
        values = {
            name: formula.tensor(seed, j, name, shape).to(dtype)
            for j, (name, shape) in enumerate(self.model.shapes.items())
        }
        self.statistics = {name: value for name, value in values.items() if ".running_" in name}
        self.parameters = [name for name in values if name not in self.statistics]
        weights = torch.cat([values[name].flatten() for name in self.parameters])
        signs = formula.symmetric(seed * formula.STREAMS + formula.MOVED, len(weights), 1).sign().to(dtype)
        self.weights = weights * (1 + moved * signs)

        shape = case.get("batches", 1), case["batch_size"]
        images = formula.images(seed, (*shape, 3, case["image_size"], case["image_size"])).to(dtype)
        targets = formula.targets(seed, shape, classes)
        self.batches = [Batch(self, [piece]) for piece in zip(images, targets)]

    def tensors(self, theta):
        """The parameters by name, as views of a flat vector."""
        shapes = [self.model.shapes[name] for name in self.parameters]
        parts = theta.split([math.prod(shape) for shape in shapes])
        return {name: part.view(shape) for name, part, shape in zip(self.parameters, parts, shapes)}

    def evaluated(self, images):
        """Logits in evaluation, by the running statistics."""
        tensors = self.tensors(self.weights)
        return self.model.logits(tensors, images, Kept(self.statistics))

    def state(self):
        """All tensors by name, in the order of the model."""
        values = self.tensors(self.weights) | self.statistics
        return {name: values[name] for name in self.model.shapes}


class Batch:
    """A batch in pieces, normally one. Its loss is the mean of theirs, and batch norm sees one piece at a time."""

    def __init__(self, problem, pieces):
        self.problem = problem
        self.pieces = pieces

    def in_pieces(self, count):
        """The same images in so many equal consecutive pieces."""
        [(images, targets)] = self.pieces
        if len(targets) % count:
            raise ValueError(f"{len(targets)} images do not make {count} equal pieces")
        return Batch(self.problem, list(zip(images.chunk(count), targets.chunk(count))))

    def apart(self):
        """Each piece as a batch of its own."""
        return [Batch(self.problem, [piece]) for piece in self.pieces]

    def first(self, theta):
        """Loss and gradient in the first pass of a step, which alone moves running statistics."""
        return self.gradient(theta, self.problem.statistics)

    def again(self, theta):
        """Loss and gradient in any later pass: statistics of the batch, running ones left alone."""
        return self.gradient(theta, None)

    def loss(self, theta):
        """As `again`, the loss alone."""
        with torch.no_grad():
            return self.mean_loss(theta, None).item()

    def of_function(self, theta, weights):
        """Loss at `theta`, and the gradient there with the loss's derivative by the logits as it is at `weights`."""
        theta = theta.detach().requires_grad_()
        loss = along = 0.0
        for images, targets in self.pieces:
            with torch.no_grad():
                before = self.logits(weights, images)
            before.requires_grad_()
            [derivative] = torch.autograd.grad(F.cross_entropy(before, targets), before)
            logits = self.logits(theta, images)
            loss += F.cross_entropy(logits, targets).item() / len(self.pieces)
            along = along + (derivative * logits).sum() / len(self.pieces)
        [gradient] = torch.autograd.grad(along, theta)
        return loss, gradient

    def losses(self, theta):
        """The losses of the samples of each piece."""
        with torch.no_grad():
            return [F.cross_entropy(self.logits(theta, images), targets, reduction="none") for images, targets in self.pieces]

    def of_samples(self, theta, numbers):
        """The gradient over those samples of each piece alone that have these numbers."""
        pieces = [(images[chosen], targets[chosen]) for (images, targets), chosen in zip(self.pieces, numbers)]
        [_, gradient] = Batch(self.problem, pieces).again(theta)
        return gradient

    def logits(self, theta, images):
        return self.problem.model.logits(self.problem.tensors(theta), images, None)

    def gradient(self, theta, statistics):
        theta = theta.detach().requires_grad_()
        loss = self.mean_loss(theta, statistics)
        [gradient] = torch.autograd.grad(loss, theta)
        return loss.item(), gradient

    def mean_loss(self, theta, statistics):
        tensors, model = self.problem.tensors(theta), self.problem.model
        losses = [F.cross_entropy(model.logits(tensors, x, statistics), y) for x, y in self.pieces]
        return sum(losses) / len(losses)
