"""Around a method: which steps are its own, and how rho is found."""

import math

FIELDS = ("from", "until", "every", "policy", "loss_budget", "measured")


class Scheduled:
    """A method that leaves some steps to the base optimizer, and whose rho need not be the same in each.

    Late phase (2410.10373) is a window of steps; the policy is AE-SAM's (2304.14647, section 3), the budget LE-SAM's (2605.10183);
    `measured` is not from a paper: ln rho moves by 0.1 ln(aim / rise), the logarithm at most 1 in size.
    """

    def __init__(self, method, options, alone, length):
        self.method = method
        self.options = options
        self.alone = alone
        self.length = length
        self.rho = method.rho
        self.rho_max = method.options.get("rho_max")
        self.number = 0
        self.mean = self.variance = None
        self.log_factor = 0.0

    def start_epoch(self):
        self.method.start_epoch()

    def step(self, theta, batch, base, lr):
        number = self.number
        self.number += 1
        seen = Seen(batch)
        if not self.is_own(number, seen, theta):
            return self.alone.step(theta, seen, base, lr)
        self.scale(number / self.length, seen, theta)
        if self.method.rho == 0:
            return self.alone.step(theta, seen, base, lr)
        weights, report = self.method.step(theta, seen, base, lr)
        if "measured" in self.options:
            self.follow(report["loss"], report["ascent_loss"] - report["loss"])
        return weights, report

    def is_own(self, number, batch, theta):
        first = round(self.options.get("from", 0.0) * self.length)
        end = round(self.options.get("until", 1.0) * self.length)
        is_high = "policy" not in self.options or self.is_high(number / self.length, batch, theta)
        return first <= number < end and (number - first) % self.options.get("every", 1) == 0 and is_high

    def is_high(self, share, batch, theta):
        policy = self.options["policy"]
        square = batch.first(theta)[1].norm().item() ** 2
        if self.mean is None:
            self.mean, self.variance = square, 0.0
        else:
            delta = policy["delta"]
            self.mean = delta * self.mean + (1 - delta) * square
            self.variance = delta * self.variance + (1 - delta) * (square - self.mean) ** 2
        threshold = share * policy["last"] + (1 - share) * policy["first"]
        return square >= self.mean + threshold * math.sqrt(self.variance)

    def scale(self, share, batch, theta):
        """Rho of this step, and rho_max in proportion."""
        rho = self.rho * math.exp(self.log_factor)
        if "loss_budget" in self.options:
            rho = min(rho, self.budget(share) / batch.first(theta)[1].norm().item())
        self.method.rho = rho
        if self.rho_max is not None:
            self.method.options = {**self.method.options, "rho_max": self.rho_max * rho / self.rho}

    def budget(self, share):
        sigma, last = self.options["loss_budget"]["sigma"], self.options["loss_budget"]["last"]
        left = 1 - share
        return sigma if left >= last else sigma * (1 + math.cos(math.pi * (1 - left / last))) / 2

    def follow(self, loss, rise):
        measured = self.options["measured"]
        aim = measured["rise"] if "rise" in measured else measured["share"] * loss
        off = math.log(aim / rise) if rise > 0 else 1.0
        self.log_factor += 0.1 * max(-1.0, min(1.0, off))
        bounds = math.log(measured["least"]), math.log(measured["most"])
        self.log_factor = max(bounds[0], min(bounds[1], self.log_factor))


class Seen:
    """A batch whose first pass is made once, however often its gradient is asked for."""

    def __init__(self, batch):
        self.batch = batch
        self.made = None

    def first(self, theta):
        if self.made is None:
            self.made = self.batch.first(theta)
        return self.made

    def again(self, theta):
        return self.batch.again(theta)

    def loss(self, theta):
        return self.batch.loss(theta)
