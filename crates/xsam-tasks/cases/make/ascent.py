"""From the weights to the ascent point, in one or several steps: the part that all methods share."""

from dataclasses import dataclass, field

import torch

# Added to norms that are divided by.
EPSILON = 1e-12


def along(gradient, point):
    """Direction of SAM (2010.01412, equation 2): the gradient over its norm."""
    return gradient / (gradient.norm() + EPSILON)


def along_adaptive(gradient, point):
    """Direction of ASAM (2102.11600), element by element with T = |w| at this point."""
    return point**2 * gradient / ((point.abs() * gradient).norm() + EPSILON)


@dataclass
class Ascent:
    """The points 0..k of an ascent: point 0 is the weights, with the gradient g_0 there, and so on."""

    points: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    gradients: list = field(default_factory=list)

    def report(self):
        """What a step tells of it. The ascent point is the last one."""
        return {
            "loss": self.losses[0],
            "grad_norm": self.gradients[0].norm().item(),
            "ascent_loss": self.losses[-1],
            "ascent_grad_norm": self.gradients[-1].norm().item(),
        }


def climb(theta, batch, rho, steps, direction=along):
    """theta_{i+1} = theta_i + rho / k * direction(g_i): `rho` is the total length of the `steps`."""
    ascent = Ascent()
    add(ascent, theta, batch.first(theta))
    for _ in range(steps):
        point = ascent.points[-1]
        point = point + rho / steps * direction(ascent.gradients[-1], point)
        add(ascent, point, batch.again(point))
    return ascent


def add(ascent, point, loss_and_gradient):
    loss, gradient = loss_and_gradient
    ascent.points.append(point)
    ascent.losses.append(loss)
    ascent.gradients.append(gradient)


def orthogonal(vector, to):
    """The part of a vector that is orthogonal to another one, over all parameters at once."""
    return vector - torch.dot(vector, to) / torch.dot(to, to) * to


def standing_out(gradient, sizes, percentile):
    """The elements of high standard score and zeros for the others (ZSharp, 2505.02369).

    Scores are within each parameter, of which these are the sizes; the percentile is of the scores of all of them.
    """
    parts = gradient.split(sizes)
    scores = torch.cat([(part - part.mean()).abs() / (part.std(correction=0) + 1e-8) for part in parts])
    threshold = scores.quantile(percentile, interpolation="higher")
    return torch.where(scores >= threshold, gradient, 0.0)


class Friendly:
    """Direction of Friendly-SAM (2403.12350): the gradient without what is common to all batches.

    m_t = lambda m_{t-1} + (1 - lambda) g_t estimates the full gradient from those of the batches, with m_0 = 0, and
    the ascent is along g_t - sigma m_t: m takes in this batch BEFORE it is used. At sigma = 1 the order does not
    show, since g_t - m_t = lambda (g_t - m_{t-1}) has the same direction; at any other sigma it does.
    """

    def __init__(self, options, steps):
        if steps != 1:
            raise ValueError(f"a friendly ascent has one step, not {steps}: the average moves once for each batch")
        self.sigma = options["sigma"]
        self.decay = options["lambda"]
        self.mean = 0

    def __call__(self, gradient, point):
        self.mean = self.decay * self.mean + (1 - self.decay) * gradient
        return along(gradient - self.sigma * self.mean, point)
