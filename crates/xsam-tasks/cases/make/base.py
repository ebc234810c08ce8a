"""The base optimizer and its schedule."""

import math


class Sgd:
    """As PyTorch's: weight decay added to the gradient, momentum without dampening."""

    def __init__(self, momentum, weight_decay):
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.buffer = 0

    def step(self, theta, gradient, lr):
        self.buffer = self.momentum * self.buffer + gradient + self.weight_decay * theta
        return theta - lr * self.buffer


def cosine(lr, epoch, epochs):
    return lr * (1 + math.cos(math.pi * epoch / epochs)) / 2
