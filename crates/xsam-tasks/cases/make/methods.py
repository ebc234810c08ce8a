"""The methods, each from the formulas of its paper. Its options are the `optimizer` of a case."""

import math

import torch

from ascent import EPSILON, Friendly, along, climb, orthogonal
from draws import Draws
from method import Method
from schedule import FIELDS, Scheduled
from xsam import Xsam


class Sgd(Method):
    """The base optimizer alone."""

    def step(self, theta, batch, base, lr):
        loss, gradient = batch.first(theta)
        norm = gradient.norm().item()
        return base.step(theta, gradient, lr), {"loss": loss, "grad_norm": norm, "update_norm": norm}


class Sam(Method):
    """2010.01412, algorithm 1; ASAM (2102.11600) by its direction: the gradient g_k."""

    def gradient(self, ascent):
        return ascent.gradients[-1]


class Msam(Method):
    """2302.10181: the mean of g_1..g_k, the gradients at the ascent points and not that at the weights."""

    def gradient(self, ascent):
        return sum(ascent.gradients[1:]) / self.steps


class Gsam(Method):
    """2203.08065, algorithm 1: g_p, less alpha times the part of g_0 that is orthogonal to g_p. rho is constant."""

    def gradient(self, ascent):
        g_0, g_p = ascent.gradients[0], ascent.gradients[-1]
        return g_p - self.options["alpha"] * orthogonal(g_0, g_p)


class Wsam(Method):
    """2305.15817: sharpness g_1 - g_0 with a weight c = gamma / (1 - gamma) of its own.

    Coupled, g_0 + c (g_1 - g_0) goes to the base optimizer. Decoupled, the base optimizer takes g_0, and
    lr c (g_1 - g_0) is taken from the weights beside it: no momentum, no weight decay.
    """

    def gradient(self, ascent):
        g_0, g_1 = ascent.gradients[0], ascent.gradients[-1]
        return g_0 + self.weight() * (g_1 - g_0)

    def step(self, theta, batch, base, lr):
        if not self.options["decoupled"]:
            return super().step(theta, batch, base, lr)
        ascent = self.ascend(theta, batch)
        g_0, g_1 = ascent.gradients[0], ascent.gradients[-1]
        report = ascent.report() | {"update_norm": g_0.norm().item()}
        return base.step(theta, g_0, lr) - lr * self.weight() * (g_1 - g_0), report

    def weight(self):
        gamma = self.options["gamma"]
        return gamma / (1 - gamma)


class LookSam(Method):
    """2203.02714, algorithm 1: a step of SAM every K-th time, which keeps g_v, the part of g_1 orthogonal to g_0.

    Between, the ascent is left out: g_0 + alpha |g_0| / |g_v| g_v. Steps 0, K, 2K, .. of the whole run are SAM's.
    """

    def __init__(self, options):
        super().__init__(options)
        self.count = 0
        self.kept = None

    def gradient(self, ascent):
        self.kept = orthogonal(ascent.gradients[-1], ascent.gradients[0])
        return ascent.gradients[-1]

    def step(self, theta, batch, base, lr):
        ascends = self.count % self.options["every"] == 0
        self.count += 1
        if ascends:
            return super().step(theta, batch, base, lr)
        loss, g_0 = batch.first(theta)
        update = g_0 + self.options["alpha"] * g_0.norm() / self.kept.norm() * self.kept
        report = {"loss": loss, "grad_norm": g_0.norm().item(), "update_norm": update.norm().item()}
        return base.step(theta, update, lr), report


class FriendlySam(Sam):
    """2403.12350: SAM whose ascent is along the gradient without the moving average of all of them."""

    def __init__(self, options):
        super().__init__(options)
        self.direction = Friendly(options, self.steps)


class LookbehindSam(Method):
    """2307.16704: k ascent steps from the slow weights, and at each a descent of the fast weights.

    The fast weights start at the slow ones; the base optimizer steps them by g_1..g_k in turn, with one momentum and
    with the decay of the fast weights. Then slow + alpha (fast - slow). The gradient g_0 serves the ascent alone.
    """

    def step(self, theta, batch, base, lr):
        ascent = self.ascend(theta, batch)
        fast = theta
        for gradient in ascent.gradients[1:]:
            fast = base.step(fast, gradient, lr)
        report = ascent.report() | {"update_norm": ascent.gradients[1].norm().item()}
        return theta + self.options["alpha"] * (fast - theta), report


class StableSam(Method):
    """2401.07250, algorithm 1: the gradient at the ascent point, as long as the one at the weights."""

    def gradient(self, ascent):
        g_0, g_k = ascent.gradients[0], ascent.gradients[-1]
        return g_0.norm() / g_k.norm() * g_k


class Usam(Sam):
    """2206.06232, section 2: SAM whose ascent is rho times the gradient, which nothing divides."""

    def __init__(self, options):
        super().__init__(options)
        self.direction = lambda gradient, point: gradient


class MomentumSam(Method):
    """2401.12033, algorithm 1: the one pass is at theta - rho v / |v|, with v the momentum of all gradients before it.

    v is without weight decay, which is the base optimizer's affair. The first step has none.
    """

    def __init__(self, options):
        super().__init__(options)
        self.velocity = None

    def step(self, theta, batch, base, lr):
        point = theta
        if self.velocity is not None:
            point = theta - self.rho / (self.velocity.norm() + EPSILON) * self.velocity
        loss, gradient = batch.first(point)
        before = 0 if self.velocity is None else self.velocity
        self.velocity = self.options["momentum"] * before + gradient
        norm = gradient.norm().item()
        return base.step(theta, gradient, lr), {"loss": loss, "grad_norm": norm, "update_norm": norm}


class Sampa(Method):
    """2410.10683: the ascent is along g, the gradient of the step before at y, which that step took on its own batch.

    y = theta - lr g is where the pass that counts is, on this batch; the one at theta + rho g / |g| is on the batch before.
    The first step has no g, and is the base optimizer's.
    """

    def __init__(self, options):
        super().__init__(options)
        self.before = None

    def step(self, theta, batch, base, lr):
        if self.before is None:
            loss, update = batch.first(theta)
            self.before = batch, update
            norm = update.norm().item()
            return base.step(theta, update, lr), {"loss": loss, "grad_norm": norm, "update_norm": norm}
        earlier, g = self.before
        loss, there = batch.first(theta - lr * g)
        ascent_loss, ahead = earlier.again(theta + self.rho / (g.norm() + EPSILON) * g)
        share = self.options["lambda"]
        update = (1 - share) * ahead + share * there
        self.before = batch, there
        report = {"loss": loss, "grad_norm": there.norm().item(), "ascent_loss": ascent_loss}
        report |= {"ascent_grad_norm": ahead.norm().item(), "update_norm": update.norm().item()}
        return base.step(theta, update, lr), report


class ZSharp(Sam):
    """2505.02369: SAM whose ascent is along the elements of the gradient that have a high standard score."""


class Gam(Method):
    """2303.03108, algorithm 1, with products with the Hessian as differences of gradients at a distance of rho."""

    def step(self, theta, batch, base, lr):
        ascent = climb(theta, batch, self.rho, 1)
        g_0, ahead = ascent.gradients
        adversary = theta + self.rho * along(ahead - g_0, theta)
        [_, g_1] = batch.again(adversary)
        [_, beyond] = batch.again(adversary + self.rho * along(g_1, adversary))
        update = g_0 + self.options["alpha"] * (beyond - g_1)
        report = ascent.report() | {"update_norm": update.norm().item()}
        return base.step(theta, update, lr), report


class FunctionalSam(Sam):
    """2502.02407: SAM whose last gradient has the loss's derivative by the logits as it is at the weights."""

    def ascend(self, theta, batch):
        ascent = super().ascend(theta, batch)
        ascent.losses[-1], ascent.gradients[-1] = batch.of_function(ascent.points[-1], theta)
        return ascent


class Bsam(Method):
    """2210.01620, algorithm 1, right: m and s are of the gradients at w + rho g / s and at w + e, with e of variance 1 / (N s)."""

    def __init__(self, options):
        super().__init__(options)
        self.count = 0
        self.momentum = 0
        self.scale = None

    def step(self, theta, batch, base, lr):
        options = self.options
        if self.scale is None:
            self.scale = torch.full_like(theta, options["initial"])
        draws = Draws(options["seed"], self.count)
        self.count += 1
        noise = torch.cat([noise_of(part, draws) for part in batch.problem.tensors(theta).values()])
        loss, g = batch.first(theta + noise / (options["samples"] * self.scale).sqrt())
        ascent_loss, there = batch.again(theta + self.rho * g / self.scale)
        b1, b2 = options["beta1"], options["beta2"]
        self.momentum = b1 * self.momentum + (1 - b1) * (there + options["delta"] * theta)
        step = self.scale.sqrt() * g.abs() + options["delta"] + options["damping"]
        self.scale = b2 * self.scale + (1 - b2) * step
        update = self.momentum / self.scale
        report = {"loss": loss, "grad_norm": g.norm().item(), "ascent_loss": ascent_loss}
        report |= {"ascent_grad_norm": there.norm().item(), "update_norm": update.norm().item()}
        return base.step(theta, update, lr), report


def noise_of(part, draws):
    """For each element of a tensor a number; matrices are filled as Burn has them, inputs by outputs."""
    noise = torch.tensor(draws.normal(part.numel()), dtype=part.dtype)
    return noise.reshape(part.T.shape).T.flatten() if part.dim() == 2 else noise


class Esam(Method):
    """2110.03141, algorithm 1, with the weights chosen a parameter tensor at a time.

    Some of the tensors are moved along SAM's ascent, 1 / beta times as far. The gradient there is over those samples alone,
    ceil(gamma n) of n, whose losses rise most on the way. Each part of a batch in parts has its own samples chosen.
    """

    def __init__(self, options):
        super().__init__(options)
        self.count = 0

    def step(self, theta, batch, base, lr):
        draws = Draws(self.options["seed"], self.count)
        self.count += 1
        loss, g_0 = batch.first(theta)
        report = {"loss": loss, "grad_norm": g_0.norm().item()}
        tensors = batch.problem.tensors(theta).values()
        chosen = torch.cat([torch.full((part.numel(),), draws.unit() < self.options["beta"]) for part in tensors])
        update = g_0
        if chosen.any():
            direction = torch.where(chosen, self.direction(g_0, theta), 0.0)
            point = theta + self.rho / self.options["beta"] * direction
            before, after = batch.losses(theta), batch.losses(point)
            risen = [risen_most(b - a, self.options["gamma"]) for a, b in zip(before, after)]
            update = batch.of_samples(point, risen)
            report["ascent_loss"] = sum(losses.mean().item() for losses in after) / len(after)
            report["ascent_grad_norm"] = update.norm().item()
        report["update_norm"] = update.norm().item()
        return base.step(theta, update, lr), report


def risen_most(rises, share):
    """The numbers of this share of the samples, rounded up."""
    order = rises.argsort(descending=True, stable=True)
    return order[: math.ceil(share * len(rises))].sort().values


class MicroBatches:
    """m-sharpness (2010.01412): each part of a batch ascends by itself, their gradients are averaged."""

    def __init__(self, method, count):
        if type(method).step is not Method.step:
            raise ValueError("parts of a batch can be perturbed apart where a method is a gradient from an ascent")
        self.method = method
        self.count = count

    def start_epoch(self):
        self.method.start_epoch()

    def step(self, theta, batch, base, lr):
        ascents = [self.method.ascend(theta, part) for part in batch.in_pieces(self.count).apart()]
        update = sum(self.method.gradient(ascent) for ascent in ascents) / self.count
        loss = math.fsum(ascent.losses[0] for ascent in ascents) / self.count
        return base.step(theta, update, lr), {"loss": loss, "update_norm": update.norm().item()}


class Accumulate:
    """Gradient accumulation: every pass of the method is over all parts of the batch, and has their mean."""

    def __init__(self, method, count):
        self.method = method
        self.count = count

    def start_epoch(self):
        self.method.start_epoch()

    def step(self, theta, batch, base, lr):
        return self.method.step(theta, batch.in_pieces(self.count), base, lr)


METHODS = {
    "sgd": Sgd,
    "sam": Sam,
    "asam": Sam,
    "msam": Msam,
    "gsam": Gsam,
    "wsam": Wsam,
    "looksam": LookSam,
    "friendly-sam": FriendlySam,
    "lookbehind-sam": LookbehindSam,
    "stable-sam": StableSam,
    "usam": Usam,
    "momentum-sam": MomentumSam,
    "sampa": Sampa,
    "zsharp": ZSharp,
    "gam": Gam,
    "functional-sam": FunctionalSam,
    "esam": Esam,
    "bsam": Bsam,
    "xsam": Xsam,
}


def method(case):
    """The method of a case: its `optimizer`, on whole batches or on parts of them."""
    options = {**case["optimizer"], "seed": case["seed"]}
    method = METHODS[options["name"]](options)
    # The `every` of LookSAM is its own.
    around = set(FIELDS) - ({"every"} if isinstance(method, LookSam) else set())
    if around & set(options):
        method = Scheduled(method, options, Sgd({}), case["epochs"] * case["batches"])
    if "m_sharpness" in case:
        method = MicroBatches(method, case["m_sharpness"])
    if "micro_batches" in case:
        method = Accumulate(method, case["micro_batches"])
    return method
