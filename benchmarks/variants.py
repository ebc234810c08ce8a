"""What the models of the benchmarks leave open."""

# What each model leaves open, by default.
OPEN = {
    "resnet18": {"width": 64},
    "wide_resnet": {"width": 10, "depth": 28},
    "vit": {"width": 192, "depth": 12, "patch": 4, "heads": None},
    "mixer": {"width": 512, "depth": 8, "patch": 4},
}
