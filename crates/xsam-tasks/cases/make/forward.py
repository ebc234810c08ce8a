"""What comes out of a pass over a batch, in evaluation and in training."""

import torch

from problem import Problem


def forward(case, dtype=torch.float64, moved=0.0):
    """The `expected` of a case, or what comes out if its weights are `moved` by so much of themselves."""
    problem = Problem(case, dtype, moved)
    [(images, _)] = problem.batches[0].pieces
    with torch.no_grad():
        return {
            "logits_eval": problem.evaluated(images).tolist(),
            "logits_train": problem.batches[0].logits(problem.weights, images).tolist(),
        }
