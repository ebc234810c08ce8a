"""The cases that are made here: what each one trains, and by what.

Seeds are chosen so that single precision can follow: no two candidates of a search are all but equally high, and no
ReLU has an input so near zero that rounding switches it. Whether that is so is seen by moving the weights a little.
"""

GRID = [round(0.1 * i, 1) for i in range(21)]
COARSE = [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]
# Unequally spaced, which the formula of a parabola must bear.
UNEQUAL = [0.0, 0.3, 0.7, 1.2, 1.4, 2.0]
SHORT = [0.0, 0.3, 0.6, 0.8]

SAM = {"rho": 0.15, "ascent_steps": 1}
SEARCH = {"rho_max": 0.3, "grid": GRID}
# Far enough out for the losses of a coarse grid to differ in more than their last digits.
FAR = {"rho": 0.6, "rho_max": 1.0, "ascent_steps": 1, "parabola": True}
THREE_STEPS = {"rho": 0.3, "ascent_steps": 3}
BAYES = {"samples": 1000.0, "initial": 1.0, "delta": 1e-4, "damping": 0.1, "beta1": 0.9, "beta2": 0.99}
FRIENDLY = {"sigma": 1.0, "lambda": 0.9}

# Name, seed and `optimizer`, with what of its run stands beside that. The model is named by the first part of the name.
CASES = [
    ("cnn-gsam", 127, {"name": "gsam", **SAM, "alpha": 0.4}),
    ("cnn-wsam", 140, {"name": "wsam", **SAM, "gamma": 0.9, "decoupled": False}),
    ("cnn-wsam-decoupled", 159, {"name": "wsam", **SAM, "gamma": 0.9, "decoupled": True}),
    ("cnn-looksam", 130, {"name": "looksam", **SAM, "every": 3, "alpha": 0.7}),
    ("cnn-friendly-sam", 116, {"name": "friendly-sam", **SAM, **FRIENDLY}),
    ("cnn-msam", 114, {"name": "msam", **THREE_STEPS}),
    ("cnn-lookbehind-sam", 121, {"name": "lookbehind-sam", **THREE_STEPS, "alpha": 0.5}),
    ("cnn-sam-micro", 113, {"name": "sam", **SAM, "m_sharpness": 2}),
    ("cnn-sam-accumulate", 147, {"name": "sam", **SAM, "micro_batches": 2}),
    ("cnn-xsam-accumulate", 224, {"name": "xsam", **SAM, **SEARCH, "micro_batches": 2}),
    ("cnn-xsam-friendly", 244, {"name": "xsam", **SAM, **SEARCH, "friendly": FRIENDLY}),
    ("cnn-xsam-parabola", 349, {"name": "xsam", **FAR, "grid": COARSE}),
    ("mlp-gsam", 152, {"name": "gsam", **SAM, "alpha": 0.4}),
    ("mlp-wsam-decoupled", 109, {"name": "wsam", **SAM, "gamma": 0.9, "decoupled": True}),
    ("mlp-looksam", 111, {"name": "looksam", **SAM, "every": 3, "alpha": 0.7}),
    # sigma other than 1, at which it shows whether the average is moved before or after its use.
    ("mlp-friendly-sam", 103, {"name": "friendly-sam", **SAM, "sigma": 0.6, "lambda": 0.8}),
    ("mlp-lookbehind-sam", 133, {"name": "lookbehind-sam", **THREE_STEPS, "alpha": 0.5}),
    # At the vertex of the first search the loss is lower than on the grid, at that of the second one higher.
    ("mlp-xsam-parabola", 163, {"name": "xsam", **FAR, "grid": UNEQUAL}),
    # The first search ends at the last of the grid, the second one within.
    ("mlp-xsam-parabola-end", 189, {"name": "xsam", **FAR, "grid": SHORT}),
    ("cnn-stable-sam", 171, {"name": "stable-sam", **SAM}),
    ("cnn-usam", 172, {"name": "usam", "rho": 0.05, "ascent_steps": 2}),
    ("cnn-momentum-sam", 173, {"name": "momentum-sam", "rho": 0.15, "momentum": 0.9}),
    ("mlp-momentum-sam", 174, {"name": "momentum-sam", "rho": 0.3, "momentum": 0.7}),
    ("cnn-xsam-late", 175, {"name": "xsam", **SAM, **SEARCH, "from": 0.5}),
    ("cnn-sam-every", 176, {"name": "sam", **SAM, "from": 0.25, "until": 0.75, "every": 3}),
    ("cnn-sam-policy", 177, {"name": "sam", **SAM, "policy": {"first": 0.2, "last": -0.5, "delta": 0.9}}),
    ("cnn-sam-budget", 179, {"name": "sam", "rho": 0.05, "ascent_steps": 1, "loss_budget": {"sigma": 0.1, "last": 0.5}}),
    ("cnn-xsam-budget", 179, {"name": "xsam", "rho": 0.2, "rho_max": 0.4, "ascent_steps": 1, "grid": GRID, "loss_budget": {"sigma": 0.1, "last": 0.5}}),
    ("cnn-xsam-measured", 180, {"name": "xsam", **SAM, **SEARCH, "measured": {"share": 0.1, "least": 0.1, "most": 10.0}}),
    ("cnn-sam-measured", 181, {"name": "sam", **SAM, "measured": {"rise": 0.1, "least": 0.1, "most": 10.0}}),
    ("cnn-zsharp", 182, {"name": "zsharp", **SAM, "percentile": 0.95}),
    ("mlp-zsharp", 183, {"name": "zsharp", "rho": 0.3, "ascent_steps": 2, "percentile": 0.7}),
    ("cnn-xsam-zsharp", 296, {"name": "xsam", **SAM, **SEARCH, "percentile": 0.9}),
    ("cnn-gam", 184, {"name": "gam", "rho": 0.15, "alpha": 1.0}),
    ("mlp-gam", 185, {"name": "gam", "rho": 0.05, "alpha": 0.4}),
    ("cnn-sampa", 188, {"name": "sampa", "rho": 0.15, "lambda": 0.2}),
    ("mlp-sampa", 189, {"name": "sampa", "rho": 0.3, "lambda": 0.6}),
    ("cnn-functional-sam", 186, {"name": "functional-sam", **SAM}),
    ("mlp-functional-sam", 187, {"name": "functional-sam", "rho": 0.3, "ascent_steps": 2, "micro_batches": 2}),
    ("cnn-esam", 188, {"name": "esam", "rho": 0.15, "beta": 0.6, "gamma": 0.5}),
    ("mlp-esam", 190, {"name": "esam", "rho": 0.3, "beta": 0.5, "gamma": 0.3, "micro_batches": 2}),
    ("cnn-bsam", 191, {"name": "bsam", **BAYES, "rho": 0.02}),
    ("mlp-bsam", 192, {"name": "bsam", **BAYES, "rho": 0.1, "initial": 0.5, "delta": 0.01, "micro_batches": 2}),
    ("resnet18-xsam", 328, {"name": "xsam", **SAM, **SEARCH}),
    ("resnet18-xsam-k2", 269, {"name": "xsam", **SAM, **SEARCH, "ascent_steps": 2}),
    ("wide_resnet-xsam", 401, {"name": "xsam", **SAM, **SEARCH}),
    ("vit-xsam", 402, {"name": "xsam", **SAM, **SEARCH}),
    ("vit-mean-sam", 403, {"name": "sam", **SAM}),
    ("mixer-xsam", 404, {"name": "xsam", **SAM, **SEARCH}),
    # A pass each, of a size that people use.
    ("forward-wide_resnet", 405, None),
    ("forward-vit", 406, None),
    ("forward-mixer", 407, None),
]

# Of each model: how large it is, and what it is trained on.
MODELS = {
    "cnn": ({"name": "small_cnn", "classes": 10}, {"epochs": 2, "batches": 4, "batch_size": 16, "image_size": 8, "lr": 0.05}),
    "mlp": ({"name": "mlp", "classes": 10}, {"epochs": 2, "batches": 4, "batch_size": 16, "image_size": 8, "lr": 0.05}),
    "resnet18": (
        {"name": "resnet18", "classes": 10, "width": 8},
        {"epochs": 1, "batches": 3, "batch_size": 8, "image_size": 16, "lr": 0.01},
    ),
    "wide_resnet": (
        {"name": "wide_resnet", "classes": 10, "width": 2, "depth": 10},
        {"epochs": 1, "batches": 3, "batch_size": 8, "image_size": 16, "lr": 0.01},
    ),
    "vit": (
        {"name": "vit", "classes": 10, "width": 32, "depth": 2, "patch": 4, "heads": 4},
        {"epochs": 1, "batches": 3, "batch_size": 8, "image_size": 16, "lr": 0.01},
    ),
    "mixer": (
        {"name": "mixer", "classes": 10, "width": 32, "depth": 2, "patch": 4},
        {"epochs": 1, "batches": 3, "batch_size": 8, "image_size": 16, "lr": 0.01},
    ),
    "forward-wide_resnet": ({"name": "wide_resnet", "classes": 10, "width": 2, "depth": 16}, {"batch_size": 4, "image_size": 32}),
    "forward-vit": (
        {"name": "vit", "classes": 10, "width": 128, "depth": 6, "patch": 4, "heads": 4},
        {"batch_size": 4, "image_size": 32},
    ),
    "forward-mixer": ({"name": "mixer", "classes": 10, "width": 128, "depth": 6, "patch": 4}, {"batch_size": 4, "image_size": 32}),
}

# What a case has of its own in that.
PLAIN = {"momentum": 0.0, "weight_decay": 0.0}
OF_MODEL = {"vit-mean-sam": {"pooling": "mean"}}
OWN = {"resnet18-xsam-k2": {"batches": 1}, "cnn-bsam": PLAIN, "mlp-bsam": PLAIN}

# Of every case that has none of its own: the base optimizer.
BASE = {"momentum": 0.9, "weight_decay": 0.001}


# What of a case's run stands beside its method.
OF_RUN = ("micro_batches", "m_sharpness")


def case(name, seed, optimizer):
    """A case without what is expected of it."""
    if optimizer is None:
        model, run = MODELS[name]
        return {"kind": "forward", "model": model, "seed": seed, **run}
    model, run = MODELS[name.partition("-")[0]]
    model = {**model, **OF_MODEL.get(name, {})}
    run = {**BASE, **run, **OWN.get(name, {})}
    base = {key: run.pop(key) for key in ("lr", *BASE)}
    return {
        "kind": "train",
        "model": model,
        "seed": seed,
        **run,
        "base": base,
        "optimizer": {key: value for key, value in optimizer.items() if key not in OF_RUN},
        **{key: optimizer[key] for key in OF_RUN if key in optimizer},
    }
