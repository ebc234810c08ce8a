#!/usr/bin/env python3
"""xsam flatness and PyHessian on one trained ResNet-18, over the same images.

    python3 benchmarks/curvature.py images --data data/cifar10-jpeg --out data/cifar10-4096
    python3 benchmarks/curvature.py compare runs/curvature --json FILE
    python3 benchmarks/curvature.py probes runs/curvature FILE --probes 40 --seed 1

`images` makes a data set of so many training images that both sides can look at all of them: there
is nothing to draw, and a mean does not depend on the order. They are PNG files, in which every
decoder finds the same pixels. `compare` takes a run that was trained on such a data set, gives its
exported weights to PyTorch, and prints what either side measures in evaluation mode. PyHessian's side
takes the longer, and is the same for every build of xsam: `--pyhessian FILE` takes it from what `--json`
has written before, of the same weights and images. `probes` takes more probes of PyHessian's trace, adds
them to those in such a file, and prints the table anew.

Python needs torch, pillow and PyHessian: `pip install torch pillow pyhessian`.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from compare import add_program, aligned, check_program, lines_of
from pytorch import Resnet18

# Images that are looked at, and of each class those beside them: a data set has such parts.
SAMPLES = 4096
BESIDE = 50

# Settings that are PyHessian's alone.
THEIRS = "probes", "iterations", "tolerance"


# Images


def class_folders(part):
    folders = sorted(path for path in part.iterdir() if path.is_dir())
    if not folders:
        sys.exit(f"no folders of classes in {part}")
    return folders


def copy_as_png(files, folder):
    folder.mkdir(parents=True)
    for file in files:
        with Image.open(file) as image:
            image.convert("RGB").save(folder / f"{file.stem}.png")


def make_images(arguments):
    """The first images of every class, as many of each as can be."""
    out = arguments.out
    if out.exists():
        sys.exit(f"there is a {out} already")
    train, test = (class_folders(arguments.data / part) for part in ("train", "test"))
    share, rest = divmod(arguments.samples, len(train))
    for i, folder in enumerate(train):
        files, count = sorted(folder.iterdir()), share + (i < rest)
        if len(files) < count + BESIDE:
            sys.exit(f"{folder} has fewer than {count + BESIDE} images")
        copy_as_png(files[:count], out / "train" / folder.name)
        # A part of its own, so that no training image is held out.
        copy_as_png(files[count : count + BESIDE], out / "val" / folder.name)
    for folder in test:
        copy_as_png(sorted(folder.iterdir())[:BESIDE], out / "test" / folder.name)
    print(f"{arguments.samples} training images of {len(train)} classes in {out}")


def load_images(folder):
    """All training images, normalized channel by channel with their own mean and deviation, as xsam does."""
    pixels, labels = [], []
    for label, of_class in enumerate(class_folders(folder / "train")):
        for file in sorted(of_class.iterdir()):
            with Image.open(file) as image:
                pixels.append(np.asarray(image.convert("RGB")))
            labels.append(label)
    pixels = np.stack(pixels).transpose(0, 3, 1, 2)
    mean = pixels.mean((0, 2, 3), dtype=np.float64, keepdims=True)[0]
    deviation = np.sqrt(np.square(pixels - mean).mean((0, 2, 3), keepdims=True))[0]
    images = torch.from_numpy(((pixels - mean) / deviation).astype(np.float32))
    return images, torch.tensor(labels)


# The two sides


def load_model(arguments, run, classes):
    """The exported weights in PyTorch's model, which has all blocks in one list."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.pt"
        command = [arguments.xsam, "export", arguments.run, "--out", file]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        exported = torch.load(file, weights_only=True)

    def renamed(name):
        if not name.startswith("layer"):
            return name
        stage, block, rest = name.removeprefix("layer").split(".", 2)
        return f"blocks.{2 * int(stage) - 2 + int(block)}.{rest}"

    model = Resnet18(3, classes, run["model"].get("width", 64))
    model.load_state_dict({renamed(name): tensor for name, tensor in exported.items()})
    return model.eval()


def xsam_side(arguments, samples):
    options = ["--samples", samples, "--batch", arguments.batch, "--threads", arguments.threads]
    options += ["--top", arguments.top, "--trace", arguments.products, "--seed", arguments.seed]
    command = [arguments.xsam, "flatness", arguments.run, *map(str, options), "--quiet", "--json"]
    report = lines_of(command)[-1]
    found = report["eigenvalues"]
    # Two more tell how far a product depends on the step of its difference.
    products = found["products"] + 2 + 3 * (arguments.products // 3)
    return {
        "program": subprocess.check_output([arguments.xsam, "--version"], text=True).strip(),
        "samples": report["samples"],
        "loss": report["loss"],
        "grad_norm": report["grad_norm"],
        "step": report["step"],
        "discretization": report["discretization"],
        "eigenvalues": [pair["value"] for pair in found["pairs"][: arguments.top]],
        "residuals": [pair["residual"] for pair in found["pairs"][: arguments.top]],
        "trace": report["trace"]["value"],
        "trace_error": report["trace"]["standard_error"],
        "products": products,
        "seconds": report["seconds"],
        "seconds_a_product": report["seconds"] / products,
    }


def flat(parts):
    return torch.cat([part.detach().flatten() for part in parts]).double()


def xtrace(probes, products, multiply):
    """The trace and its error, from probes and the matrix's products with them, a vector a column.

    Of each probe, what the products with the others span is set aside and its trace taken exactly
    (XTrace: Epperly, Tropp and Webber, arXiv 2301.07825). A product a probe besides.
    """
    basis, coefficients = torch.linalg.qr(products)
    again = torch.stack([multiply(direction) for direction in basis.T], 1)
    inner = basis.T @ again
    along = basis.T @ probes
    estimates = []
    for i in range(probes.shape[1]):
        kept = [j for j in range(probes.shape[1]) if j != i]
        others = torch.linalg.qr(coefficients[:, kept])[0]
        inside = others.T @ inner @ others
        probe, product = others.T @ along[:, i], others.T @ coefficients[:, i]
        whole = probes[:, i] @ products[:, i]
        outside = whole - 2 * probe @ product + probe @ inside @ probe
        estimates.append((inside.trace() + outside).item())
    return statistics.mean(estimates), statistics.stdev(estimates) / math.sqrt(len(estimates))


def pyhessian_side(arguments, model, images, labels):
    # Not at the top: it is not needed for `images`.
    from pyhessian import hessian

    took, pairs = [], []

    class Watched(hessian):
        """PyHessian, with its products and the time of each."""

        def dataloader_hv_product(self, v):
            start = time.perf_counter()
            found = super().dataloader_hv_product(v)
            took.append(time.perf_counter() - start)
            pairs.append((flat(v), flat(found[1])))
            print(f"PyHessian, product {len(took)}: {took[-1]:.1f} s", file=sys.stderr, flush=True)
            return found

    torch.manual_seed(arguments.seed)
    batches = list(zip(images.split(arguments.batch), labels.split(arguments.batch)))
    parameters = list(model.parameters())
    loss = sum(F.cross_entropy(model(x), y) * (len(y) / len(labels)) for x, y in batches)
    gradient = torch.autograd.grad(loss, parameters)
    grad_norm = math.sqrt(sum(part.square().sum().item() for part in gradient))
    del gradient

    start = time.perf_counter()
    side = Watched(model, F.cross_entropy, dataloader=batches, cuda=False)
    # Its own tolerance, a thousandth, can end the iteration long before it has converged.
    eigenvalues, vectors = side.eigenvalues(arguments.iterations, arguments.tolerance, arguments.top)
    iterations = len(took)
    residuals = []
    for vector in vectors:
        value, product = side.dataloader_hv_product(vector)
        beside = sum((a - value * b).square().sum().item() for a, b in zip(product, vector))
        residuals.append(math.sqrt(beside))
    # Without a tolerance: it would stop where two means happen to be alike.
    pairs.clear()
    probes = side.trace(arguments.probes, 0.0)
    print(f"trace: {probes}", file=sys.stderr, flush=True)

    def multiply(direction):
        parts = direction.float().split([p.numel() for p in parameters])
        _, found = side.dataloader_hv_product([x.view_as(p) for x, p in zip(parts, parameters)])
        return flat(found)

    vectors, products = (torch.stack(part, 1) for part in zip(*pairs))
    less_noise, its_error = xtrace(vectors, products, multiply)
    return {
        "versions": {name: version(name) for name in ("torch", "pyhessian", "numpy", "pillow")},
        "samples": len(labels),
        "loss": loss.item(),
        "grad_norm": grad_norm,
        "eigenvalues": eigenvalues,
        "residuals": residuals,
        "iterations": iterations,
        "trace": statistics.mean(probes),
        "trace_error": statistics.stdev(probes) / math.sqrt(len(probes)),
        "probes": probes,
        "xtrace": less_noise,
        "xtrace_error": its_error,
        "products": len(took),
        "seconds": time.perf_counter() - start,
        "seconds_a_product": statistics.mean(took),
    }


def table(ours, theirs):
    def row(name, value, reference, error=None, reference_error=None):
        def spread(error):
            return "" if error is None else f"{error:.2g}"

        ratio = f"{value / reference:.4f}"
        return [name, f"{value:.5g}", spread(error), f"{reference:.5g}", spread(reference_error), ratio]

    yield ["measured", "xsam", "error", "PyHessian", "error", "ratio"]
    for name, field in ("loss", "loss"), ("gradient norm", "grad_norm"):
        yield row(name, ours[field], theirs[field])
    eigenpairs = (zip(side["eigenvalues"], side["residuals"]) for side in (ours, theirs))
    for i, ((value, error), (reference, its_error)) in enumerate(zip(*eigenpairs)):
        yield row(f"eigenvalue {i + 1}", value, reference, error, its_error)
    trace = ours["trace"], ours["trace_error"]
    for name, field in ("trace", "trace"), ("trace, XTrace", "xtrace"):
        yield row(name, trace[0], theirs[field], trace[1], theirs[f"{field}_error"])
    yield row("seconds a product", ours["seconds_a_product"], theirs["seconds_a_product"])


def more_probes(arguments):
    """A mean over few probes says little: its error falls with the square root of their number."""
    from pyhessian import hessian

    torch.set_num_threads(arguments.threads)
    result = json.loads(arguments.file.read_text())
    model, images, labels, _ = load(arguments)
    torch.manual_seed(arguments.seed)
    batches = list(zip(images.split(arguments.batch), labels.split(arguments.batch)))
    side = hessian(model, F.cross_entropy, dataloader=batches, cuda=False)
    theirs = result["pyhessian"]
    for _ in range(arguments.probes):
        theirs["probes"] += side.trace(1, 0.0)
        print(f"probe {len(theirs['probes'])}: {theirs['probes'][-1]}", file=sys.stderr, flush=True)
        theirs["trace"] = statistics.mean(theirs["probes"])
        theirs["trace_error"] = statistics.stdev(theirs["probes"]) / math.sqrt(len(theirs["probes"]))
        arguments.file.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{len(theirs['probes'])} probes\n")
    print("\n".join(aligned(list(table(result["xsam"], theirs)), {0})))


def load(arguments):
    """The run's weights in PyTorch's model, what it has learned, and its spec."""
    run = tomllib.loads((arguments.run / "spec.toml").read_text())
    if run["model"]["name"] != "resnet18":
        sys.exit(f"{arguments.run} is not of a resnet18")
    data = Path(run["data"]["dir"])
    images, labels = load_images(data)
    all_of_them = run["data"].get("subset", len(labels)) == len(labels)
    if not all_of_them or not (data / "val").exists() or run["data"].get("label_noise"):
        sys.exit(f"{arguments.run} has not learned all images in {data} with their own labels")
    return load_model(arguments, run, int(labels.max()) + 1), images, labels, run


def compare(arguments):
    torch.set_num_threads(arguments.threads)
    model, images, labels, run = load(arguments)
    parameters = sum(p.numel() for p in model.parameters())
    fields = "batch", "threads", "top", "products", "probes", "iterations", "tolerance", "seed"
    settings = {field: getattr(arguments, field) for field in fields}

    print("xsam flatness", file=sys.stderr, flush=True)
    ours = xsam_side(arguments, len(labels))
    print(json.dumps(ours), file=sys.stderr, flush=True)
    if arguments.pyhessian:
        before = json.loads(arguments.pyhessian.read_text())
        theirs = before["pyhessian"]
        # The same weights and images: the same loss, but for the rounding of sums.
        if abs(theirs["loss"] / ours["loss"] - 1) > 1e-4 or before["parameters"] != parameters:
            sys.exit(f"{arguments.pyhessian} is of other weights or other images")
        settings |= {field: before["settings"][field] for field in THEIRS}
    else:
        theirs = pyhessian_side(arguments, model, images, labels)
    result = {
        "model": run["model"],
        "parameters": parameters,
        "epochs": run["train"]["epochs"],
        "settings": settings,
        "xsam": ours,
        "pyhessian": theirs,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"resnet18 of {result['parameters']} parameters after {result['epochs']} epochs, ", end="")
    print(f"{len(labels)} images, {arguments.threads} threads; ", end="")
    print(", ".join(f"{name} {v}" for name, v in theirs["versions"].items()))
    print(f"{ours['products']} products by xsam, {theirs['products']} by PyHessian\n")
    print("\n".join(aligned(list(table(ours, theirs)), {0})))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    images = commands.add_parser("images", help="makes the data set")
    images.add_argument("--data", type=Path, required=True, help="a folder with train/CLASS/*")
    images.add_argument("--out", type=Path, required=True, help="the folder to make")
    images.add_argument("--samples", type=int, default=SAMPLES, help="training images")
    images.set_defaults(run_command=make_images)
    both = commands.add_parser("compare", help="measures on both sides")
    both.add_argument("run", type=Path, help="directory of the run")
    add_program(both)
    both.add_argument("--top", type=int, default=1, help="largest eigenvalues")
    both.add_argument("--products", type=int, default=90, help="of xsam for the trace")
    both.add_argument("--probes", type=int, default=30, help="of PyHessian for the trace")
    both.add_argument("--iterations", type=int, default=200, help="of PyHessian, at most")
    both.add_argument("--tolerance", type=float, default=1e-5, help="of PyHessian's eigenvalues")
    both.add_argument("--batch", type=int, default=128)
    both.add_argument("--threads", type=int, default=1, help="of both sides")
    both.add_argument("--seed", type=int, default=0)
    both.add_argument("--pyhessian", type=Path, metavar="FILE", help="takes its side from a file of --json")
    both.add_argument("--json", type=Path, metavar="FILE", help="writes everything to a file")
    both.set_defaults(run_command=compare)
    probes = commands.add_parser("probes", help="adds probes to PyHessian's trace")
    probes.add_argument("run", type=Path, help="directory of the run")
    probes.add_argument("file", type=Path, help="what `compare --json` has written of it")
    add_program(probes)
    probes.add_argument("--probes", type=int, default=40, help="how many more")
    probes.add_argument("--batch", type=int, default=128)
    probes.add_argument("--threads", type=int, default=1)
    probes.add_argument("--seed", type=int, default=1, help="another one than of the probes in the file")
    probes.set_defaults(run_command=more_probes)
    arguments = parser.parse_args()
    if "xsam" in arguments:
        check_program(both, arguments)
        if arguments.probes < 2:
            both.error("--probes: must be at least 2")
    arguments.run_command(arguments)


if __name__ == "__main__":
    main()
