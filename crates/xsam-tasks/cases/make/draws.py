"""What a method draws in a step: numbers that follow from the seed of the case and from the step's number."""

import math

from formula import WORD

STEP = 0x9E3779B97F4A7C15


class Draws:
    """splitmix64, begun at its own hash of the step's seed."""

    def __init__(self, seed, step):
        self.state = (seed ^ step * STEP) & WORD
        self.state = self.next()

    def next(self):
        self.state = (self.state + STEP) & WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
        return z ^ (z >> 31)

    def normal(self, count):
        """So many of mean 0 and variance 1, by Box and Muller: two of each pair of numbers."""
        values = []
        while len(values) < count:
            radius = math.sqrt(-2 * math.log(1 - self.unit()))
            angle = 2 * math.pi * self.unit()
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        return values[:count]

    def unit(self):
        """Uniform in [0, 1), of 53 bits."""
        return (self.next() >> 11) * 2.0**-53
