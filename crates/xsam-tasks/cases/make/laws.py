"""Where a method must come out as another one, whatever the numbers are."""

from cases import GRID, case
from compare import relative, worst
from train import train
from xsam import vertex

SEED = 1

SGD = {"name": "sgd", "rho": 0.0, "ascent_steps": 0}
SAM = {"name": "sam", "rho": 0.15, "ascent_steps": 1}
SAM_3 = {"name": "sam", "rho": 0.3, "ascent_steps": 3}
XSAM = {"name": "xsam", "rho": 0.15, "rho_max": 0.3, "ascent_steps": 1, "grid": GRID}

# What is said, a model, and two `optimizer`s of which it is said.
SAME = [
    ("GSAM at alpha 0 is SAM", "cnn", SAM, {**SAM, "name": "gsam", "alpha": 0.0}),
    ("WSAM at gamma 1/2 is SAM", "cnn", SAM, {**SAM, "name": "wsam", "gamma": 0.5, "decoupled": False}),
    ("WSAM at gamma 0 is SGD", "cnn", SGD, {**SAM, "name": "wsam", "gamma": 0.0, "decoupled": False}),
    ("decoupled WSAM at gamma 0 is SGD", "cnn", SGD, {**SAM, "name": "wsam", "gamma": 0.0, "decoupled": True}),
    ("LookSAM at K = 1 is SAM", "cnn", SAM, {**SAM, "name": "looksam", "every": 1, "alpha": 0.7}),
    ("F-SAM at sigma 0 is SAM", "cnn", SAM, {**SAM, "name": "friendly-sam", "sigma": 0.0, "lambda": 0.9}),
    ("F-SAM at lambda 1 is SAM", "cnn", SAM, {**SAM, "name": "friendly-sam", "sigma": 1.0, "lambda": 1.0}),
    ("MSAM of one step is SAM", "cnn", SAM, {**SAM, "name": "msam"}),
    ("Lookbehind-SAM of one step at alpha 1 is SAM", "cnn", SAM, {**SAM, "name": "lookbehind-sam", "alpha": 1}),
    ("one micro-batch is the batch", "cnn", SAM, {**SAM, "m_sharpness": 1}),
    ("accumulation over one part is the batch", "cnn", SAM, {**SAM, "micro_batches": 1}),
    ("without batch norm, accumulated SAM is SAM", "mlp", SAM_3, {**SAM_3, "micro_batches": 2}),
    ("without batch norm, accumulated XSAM is XSAM", "mlp", XSAM, {**XSAM, "micro_batches": 4}),
    ("without batch norm, micro-batches at rho 0 are SGD", "mlp", SGD, {**SAM, "rho": 0.0, "m_sharpness": 4}),
    ("friendly XSAM at sigma 0 is XSAM", "cnn", XSAM, {**XSAM, "friendly": {"sigma": 0.0, "lambda": 0.9}}),
    ("Stable SAM at rho 0 is SGD", "cnn", SGD, {**SAM, "name": "stable-sam", "rho": 0.0}),
    ("unnormalized SAM at rho 0 is SGD", "cnn", SGD, {**SAM, "name": "usam", "rho": 0.0}),
    ("Momentum-SAM at rho 0 is SGD", "cnn", SGD, {"name": "momentum-sam", "rho": 0.0, "momentum": 0.9}),
    ("from the first step on is always", "cnn", XSAM, {**XSAM, "from": 0.0, "every": 1}),
    ("after the last step is never", "cnn", SGD, {**SAM, "from": 1.0}),
    ("a budget out of reach leaves rho as it is", "cnn", XSAM, {**XSAM, "loss_budget": {"sigma": 1e9, "last": 0.0}}),
    ("a measured rho between bounds of 1 stays", "cnn", XSAM, {**XSAM, "measured": {"share": 0.1, "least": 1.0, "most": 1.0}}),
    ("ZSharp at percentile 0 is SAM", "cnn", SAM_3, {**SAM_3, "name": "zsharp", "percentile": 0.0}),
    ("GAM at alpha 0 is SGD", "cnn", SGD, {"name": "gam", "rho": 0.15, "alpha": 0.0}),
    ("Functional SAM at rho 0 is SGD", "cnn", SGD, {**SAM, "name": "functional-sam", "rho": 0.0}),
    ("ESAM of all weights and samples is SAM", "cnn", SAM, {"name": "esam", "rho": 0.15, "beta": 1.0, "gamma": 1.0}),
    ("ESAM at rho 0 and of all samples is SGD", "cnn", SGD, {"name": "esam", "rho": 0.0, "beta": 0.5, "gamma": 1.0}),
    ("XSAM at alpha 1 is SAM", "cnn", SAM_3, {**XSAM, **SAM_3, "name": "xsam", "alpha": 1.0}),
]


def laws():
    """Pairs of a deviation and of what is said."""
    for said, model, left, right in SAME:
        yield apart(trained(model, left), trained(model, right)), said
    left, right = ({**SAM, "name": "wsam", "gamma": 0.9, "decoupled": decoupled} for decoupled in (False, True))
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
