"""Where a method must come out as another one, whatever the numbers are."""

from cases import GRID, case
from compare import relative, worst
from train import train
from xsam import vertex

SEED = 1

SGD = {"method": "sgd", "rho": 0.0, "ascent_steps": 0}
SAM = {"method": "sam", "rho": 0.15, "ascent_steps": 1}
SAM_3 = {"method": "sam", "rho": 0.3, "ascent_steps": 3}
XSAM = {"method": "xsam", "rho": 0.15, "rho_max": 0.3, "ascent_steps": 1, "dynamic": True, "alphas": GRID}

# What is said, a model, and two `optimizer`s of which it is said.
SAME = [
    ("GSAM at alpha 0 is SAM", "cnn", SAM, {**SAM, "method": "gsam", "gsam_alpha": 0.0}),
    ("WSAM at gamma 1/2 is SAM", "cnn", SAM, {**SAM, "method": "wsam", "gamma": 0.5, "decoupled": False}),
    ("WSAM at gamma 0 is SGD", "cnn", SGD, {**SAM, "method": "wsam", "gamma": 0.0, "decoupled": False}),
    ("decoupled WSAM at gamma 0 is SGD", "cnn", SGD, {**SAM, "method": "wsam", "gamma": 0.0, "decoupled": True}),
    ("LookSAM at K = 1 is SAM", "cnn", SAM, {**SAM, "method": "looksam", "look_every": 1, "look_alpha": 0.7}),
    ("F-SAM at sigma 0 is SAM", "cnn", SAM, {**SAM, "method": "friendly-sam", "sigma": 0.0, "lambda": 0.9}),
    ("F-SAM at lambda 1 is SAM", "cnn", SAM, {**SAM, "method": "friendly-sam", "sigma": 1.0, "lambda": 1.0}),
    ("MSAM of one step is SAM", "cnn", SAM, {**SAM, "method": "msam"}),
    ("Lookbehind-SAM of one step at alpha 1 is SAM", "cnn", SAM, {**SAM, "method": "lookbehind-sam", "look_alpha": 1}),
    ("one micro-batch is the batch", "cnn", SAM, {**SAM, "micro_batches": 1}),
    ("accumulation over one part is the batch", "cnn", SAM, {**SAM, "accumulate": 1}),
    ("without batch norm, accumulated SAM is SAM", "mlp", SAM_3, {**SAM_3, "accumulate": 2}),
    ("without batch norm, accumulated XSAM is XSAM", "mlp", XSAM, {**XSAM, "accumulate": 4}),
    ("without batch norm, micro-batches at rho 0 are SGD", "mlp", SGD, {**SAM, "rho": 0.0, "micro_batches": 4}),
    ("friendly XSAM at sigma 0 is XSAM", "cnn", XSAM, {**XSAM, "friendly": {"sigma": 0.0, "lambda": 0.9}}),
    ("XSAM at alpha 1 is SAM", "cnn", SAM_3, {**XSAM, **SAM_3, "method": "xsam", "dynamic": False, "alpha": 1.0}),
]


def laws():
    """Pairs of a deviation and of what is said."""
    for said, model, left, right in SAME:
        yield apart(trained(model, left), trained(model, right)), said
    left, right = ({**SAM, "method": "wsam", "gamma": 0.9, "decoupled": decoupled} for decoupled in (False, True))
    said = "without momentum, decoupled WSAM is WSAM"
    yield apart(trained("cnn", left, momentum=0), trained("cnn", right, momentum=0)), said
    x = [0.3, 0.7, 1.9]
    yield abs(vertex(x, [2 - 3 * (a - 0.8) ** 2 for a in x]) - 0.8), "a parabola has its own vertex"


def trained(model, optimizer, momentum=0.9):
    of_law = case(f"{model}-law", SEED, optimizer)
    of_law["base"]["momentum"] = momentum
    return train(of_law)


def apart(left, right):
    """The largest relative difference in loss, or in the tensors after the last step."""
    losses = [(a["loss"], b["loss"]) for a, b in zip(left["steps"], right["steps"])]
    norms = [(left["final"][name]["norm"], right["final"][name]["norm"]) for name in left["final"]]
    deviation, _ = worst((relative(a, b), "") for a, b in losses + norms)
    return deviation
