"""What methods have in common."""

from ascent import along, along_adaptive, climb, standing_out


class Method:
    """A method that makes a gradient from an ascent and hands it to the base optimizer at the weights.

    `step` takes weights, a batch, the base optimizer and its learning rate, and returns the new weights and what it
    reports. Throughout, g_0 is the gradient at the weights and g_1..g_k are those at the ascent points.
    """

    def __init__(self, options):
        self.options = options
        self.rho = options.get("rho", 0.0)
        self.steps = options.get("ascent_steps", 0)
        self.direction = along_adaptive if options.get("adaptive") else along

    def start_epoch(self):
        pass

    def ascend(self, theta, batch):
        direction = self.direction
        if "percentile" in self.options:
            sizes = [part.numel() for part in batch.problem.tensors(theta).values()]
            direction = lambda gradient, point: self.direction(standing_out(gradient, sizes, self.options["percentile"]), point)
        return climb(theta, batch, self.rho, self.steps, direction)

    def gradient(self, ascent):
        raise NotImplementedError

    def step(self, theta, batch, base, lr):
        ascent = self.ascend(theta, batch)
        update = self.gradient(ascent)
        report = ascent.report() | {"update_norm": update.norm().item()}
        return base.step(theta, update, lr), report
