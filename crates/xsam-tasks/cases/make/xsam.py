"""XSAM (2603.10048): the direction is searched for on the arc from the displacement to the gradient at its end."""

import math

import torch

from ascent import EPSILON, Friendly
from method import Method


class Xsam(Method):
    """v0 is the direction of the displacement, v1 that of g_k, psi the angle between them, and

        v(alpha) = (sin((1 - alpha) psi) v0 + sin(alpha psi) v1) / sin(psi)

    A search, at the first batch of every epoch, takes the alpha whose loss at theta + rho_max v(alpha) is highest,
    the first of equals. The base optimizer gets |g_k| v(alpha). With `friendly` the ascent is Friendly-SAM's.
    """

    def __init__(self, options):
        super().__init__(options)
        if "friendly" in options:
            self.direction = Friendly(options["friendly"], self.steps)
        self.alpha = options.get("alpha", 1.0)
        self.due = False

    def start_epoch(self):
        self.due = "alpha" not in self.options

    def step(self, theta, batch, base, lr):
        ascent = self.ascend(theta, batch)
        arc = Arc(ascent.points[-1] - theta, ascent.gradients[-1])
        report = ascent.report() | {"psi": arc.psi}
        if self.due:
            self.due = False
            report |= self.search(lambda alpha: batch.loss(theta + self.options["rho_max"] * arc.at(alpha)))
        update = ascent.gradients[-1].norm() * arc.at(self.alpha)
        report |= {"alpha": self.alpha, "update_norm": update.norm().item()}
        return base.step(theta, update, lr), report

    def search(self, loss):
        alphas = self.options["grid"]
        losses = [loss(alpha) for alpha in alphas]
        best = losses.index(max(losses))
        self.alpha = alphas[best]
        report = {"search_losses": losses}
        if self.options.get("parabola"):
            self.alpha, highest = refined(alphas, losses, best, loss)
            report["refined"] = {"alpha": self.alpha, "loss": highest}
        return report


def refined(alphas, losses, best, loss):
    """The position and loss of a search that goes on between the best of the grid and its two neighbours.

    That is the vertex of the parabola through the three, if the loss there is higher. At an end of the grid there
    is one neighbour only, and the end stays.
    """
    if 0 < best < len(alphas) - 1:
        alpha = vertex(alphas[best - 1 : best + 2], losses[best - 1 : best + 2])
        found = loss(alpha)
        if found > losses[best]:
            return alpha, found
    return alphas[best], losses[best]


def vertex(x, y):
    """Where the parabola through three points, the middle one the highest, is highest itself.

    The denominator is positive: the middle one is the first of the highest, and so higher than the left one.
    """
    left, right = x[1] - x[0], x[2] - x[1]
    fall_left, fall_right = y[1] - y[0], y[1] - y[2]
    shift = (right**2 * fall_left - left**2 * fall_right) / (2 * (right * fall_left + left * fall_right))
    return min(max(x[1] + shift, x[0]), x[2])


class Arc:
    """The unit vectors from v0 to v1 and beyond. As in the published code, norms have EPSILON added."""

    def __init__(self, displacement, gradient):
        self.v0 = displacement / (displacement.norm() + EPSILON)
        self.v1 = gradient / (gradient.norm() + EPSILON)
        self.psi = torch.arccos(torch.dot(self.v0, self.v1).clamp(-1, 1)).item()

    def at(self, alpha):
        of_v0, of_v1 = math.sin((1 - alpha) * self.psi), math.sin(alpha * self.psi)
        return (of_v0 * self.v0 + of_v1 * self.v1) / math.sin(self.psi)
