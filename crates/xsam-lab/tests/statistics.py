"""Writes statistics.json, beside this file: what scipy and statsmodels make of some values.

    pip install scipy==1.17.1 statsmodels==0.15.0
    python3 crates/xsam-lab/tests/statistics.py
"""

import json
from math import ceil
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

random = np.random.default_rng(7)


def pair(first, second):
    first, second = [np.asarray(values, dtype=float) for values in (first, second)]
    t = stats.ttest_rel(second, first)
    return {
        "first": first.tolist(),
        "second": second.tolist(),
        "difference": float(np.mean(second - first)),
        "t": float(t.statistic),
        "p": float(t.pvalue),
        "interval": [float(end) for end in t.confidence_interval(0.95)],
        "wilcoxon": float(stats.wilcoxon(second - first).pvalue),
    }


def drawn(n, shift, digits):
    first = random.normal(90, 2, n).round(digits)
    return pair(first, (first + random.normal(shift, 1, n)).round(digits))


PAIRS = [
    # Hours of sleep gained with two drugs (Student 1908), with a zero.
    pair([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]),
    # Test accuracies of five seeds.
    pair([74.7, 76.1, 72.5, 77.0, 73.9], [96.1, 95.6, 96.6, 95.9, 96.3]),
    pair([96.1, 95.6, 96.6, 95.9, 96.3], [96.3, 95.5, 96.9, 95.8, 96.9]),
    # Whole numbers: many ties, and zeros.
    pair([1, 2, 3, 4, 5, 6, 7], [2, 1, 3, 6, 7, 8, 5]),
    pair(range(20), [0, 2, 1, 4, 6, 4, 7, 9, 6, 10, 12, 11, 10, 14, 16, 15, 15, 19, 20, 17]),
    drawn(2, 1, 3),
    drawn(3, 1, 3),
    drawn(12, 0.3, 4),
    drawn(13, 0.5, 0),
    drawn(14, 0.5, 0),
    drawn(50, 0.3, 6),
    drawn(51, 0.3, 6),
]
FAMILIES = [
    [0.04],
    [0.01, 0.04, 0.03],
    [0.02, 0.02, 0.02, 0.9],
    [0.001, 0.2, 0.013, 0.05, 0.8, 0.011],
]
test = TTestPower()
POWERS = [(0.2, 30), (0.5, 10), (1.0, 5), (1.5, 3), (2.0, 2), (0.0, 5), (5.0, 4), (0.05, 1000)]
NEEDED = [(1.0, 0.4), (1.0, 0.8), (1.0, 1.5), (1.0, 3.0), (0.1, 2.0), (-2.0, 1.0)]

cases = {
    "pairs": PAIRS,
    "holm": [{"p": p, "corrected": multipletests(p, method="holm")[1].tolist()} for p in FAMILIES],
    "power": [{"effect": d, "pairs": n, "power": float(test.power(d, n, 0.05))} for d, n in POWERS],
    "needed": [
        {"difference": d, "deviation": s, "seeds": ceil(test.solve_power(abs(d) / s, power=0.8, alpha=0.05))}
        for d, s in NEEDED
    ],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n")
