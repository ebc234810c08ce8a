"""Reference cases of our own, in double precision and written from the papers' formulas.

    python3 crates/xsam-tasks/cases/make            # write the cases of cases.py
    python3 crates/xsam-tasks/cases/make --check    # the laws, and every case of these models as it is stored

Python needs torch: `pip install torch`.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from cases import CASES, case
from compare import deviations, float32_alpha_deviation, float32_deviation, worst
from laws import laws
from forward import forward
from models import MODELS
from train import train

DIRECTORY = Path(__file__).resolve().parent.parent

# A trajectory of double precision, whoever computes it, agrees to this.
TOLERANCE = 1e-12
# Weights are moved by so much of themselves, as rounding to single precision moves what is computed of them. An outcome that
# moves by more than so many times as much asks for digits that no single precision has.
MOVED = [3e-7, -3e-7]
TIMES = 33


def outcome(case, *how, **besides):
    """What is expected of a case."""
    return {"train": train, "forward": forward}[case["kind"]](case, *how, **besides)


def write(names):
    print(f"{'case':<24}{'times moved':>13}{'single precision':>18}  worst in")
    for name, seed, optimizer in CASES:
        if names and name not in names:
            continue
        made = case(name, seed, optimizer)
        double, single = outcome(made), outcome(made, torch.float32)
        moves = max(worst(deviations(double, outcome(made, moved=moved)))[0] / abs(moved) for moved in MOVED)
        if not moves < TIMES:
            sys.exit(f"{name}: the outcome moves {moves:.0f} times as much as the weights: choose another seed")
        made["expected"] = double
        made["float32_deviation"] = float32_deviation(double, single)
        if "parabola" in (optimizer or {}):
            made["float32_alpha_deviation"] = float32_alpha_deviation(double, single)
        (DIRECTORY / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
        deviation, what = worst(deviations(double, single))
        print(f"{name:<24}{moves:>13.1f}{deviation:>18.1e}  {what}")


def check(names):
    """Whether everything is within the tolerance."""
    rows = [] if names else list(laws())
    for path in sorted(DIRECTORY.glob("*.json")):
        stored = json.loads(path.read_text())
        if stored.get("kind") not in ("train", "forward") or stored["model"]["name"] not in MODELS or names and path.stem not in names:
            continue
        deviation, what = worst(deviations(stored["expected"], outcome(stored)))
        rows.append((deviation, f"{path.stem} ({what})" if deviation else path.stem))
    print("      deviation  law or case")
    for deviation, what in rows:
        print(f"{'ok' if deviation <= TOLERANCE else 'FAIL':<4}  {deviation:>9.1e}  {what}")
    return all(deviation <= TOLERANCE for deviation, _ in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("names", nargs="*", metavar="CASE", help="these cases alone, such as cnn-gsam")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {path.stem for path in DIRECTORY.glob("*.json")} - {name for name, *_ in CASES}
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    # Sums in a fixed order: the same machine gives the same digits.
    torch.set_num_threads(1)
    if not arguments.check:
        write(arguments.names)
    elif not check(arguments.names):
        sys.exit(1)


if __name__ == "__main__":
    main()
