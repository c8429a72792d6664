"""Published latencies of whole networks as a table of their operations: how well `BlockCost.fit` tells those of others.

    python benchmarks/published_latency.py
    python benchmarks/published_latency.py --devices raspi4 pixel3 --networks 100

The data folder has milliseconds of all 15,625 cells of NAS-Bench-201 on 8 devices (HW-NAS-Bench; HELP). A table of
milliseconds, one an edge and operation, is fitted to `--networks` random cells, and compared with all others.
"""

import argparse

import numpy as np
from reference_data import loaders

from keras_dha.costs import BlockCost
from keras_dha.spaces import NASBench201Space


def ranks(values: np.ndarray) -> np.ndarray:
    """From 0, equal values the same."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[inverse]


def main() -> None:
    """Prints a line a device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", nargs="+", help="default: all")
    parser.add_argument("--networks", type=int, default=200, help="that the table is fitted to")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = loaders()
    operations, latencies = data.nasbench201()["ops"], data.nasbench201_latency()
    space = NASBench201Space((32, 32, 3), 10)
    names = [f"edge_{target}_from_{source}" for source, target in data.EDGES]
    cells = [dict(zip(names, ([data.OPS[int(op)]] for op in row))) for row in operations]
    order = np.random.default_rng(arguments.seed).permutation(len(cells))
    fitted, others = order[: arguments.networks], order[arguments.networks :]
    print("| device | networks fitted | Spearman on the others | median error | 90th percentile |")
    print("|---" * 5 + "|")
    for device in arguments.devices or latencies:
        ms = latencies[device].astype("float64")
        cost = BlockCost.fit(space, [cells[i] for i in fitted], ms[fitted])
        predicted = np.array([cost.of(cells[i]) for i in others])
        spearman = np.corrcoef(ranks(predicted), ranks(ms[others]))[0, 1]
        errors = np.abs(predicted / ms[others] - 1.0)
        middle, high = np.percentile(errors, [50, 90])
        print(f"| {device} | {len(fitted)} | {spearman:.3f} | {middle:.1%} | {high:.1%} |", flush=True)


if __name__ == "__main__":
    main()
