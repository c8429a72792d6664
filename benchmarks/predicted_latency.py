"""Milliseconds that `LatencyTable` predicts against those that are measured, of random networks of a space.

    python benchmarks/predicted_latency.py
    python benchmarks/predicted_latency.py --spaces nas_bench_201 --runtime saved_model --networks 10
    python benchmarks/predicted_latency.py --spaces mobile_net --folder tables

A table of the space is measured, or read where `--folder` has one. Then `--networks` random networks, none of those
that the table's scale was fitted to, are measured whole, in turns, and each twice: the second measurement says how well
one measurement predicts another. Reported are Spearman's rank correlation and relative errors. LiteRT needs
`pip install 'keras-dha[litert]'`.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cores import use_one_core

from keras_dha.costs import LatencyTable, milliseconds_of
from keras_dha.costs.covering import network
from keras_dha.costs.network_parts import with_random_weights
from keras_dha.spaces import MobileNetSpace, NASBench201Space, SearchSpace

SPACES: dict[str, Callable[[], SearchSpace]] = {
    "nas_bench_201": lambda: NASBench201Space((32, 32, 3), 10, channels=16, cells_per_stage=1),
    "mobile_net": lambda: MobileNetSpace((32, 32, 3), 10, repeats=2),
}
FIRST_SEED = 1_000_000  # LatencyTable.measure(seed=0) draws with seeds below 1000


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """The correlation of ranks, of numbers without ties."""
    return float(np.corrcoef(*(np.argsort(np.argsort(values)) for values in (x, y)))[0, 1])


def table_of(name: str, runtime: str, folder: Path | None) -> LatencyTable:
    """Read, or measured and written."""
    path = None if folder is None else folder / f"{name}_{runtime}.json"
    if path is not None and path.exists():
        return LatencyTable.load(path)
    started = time.monotonic()
    table = LatencyTable.measure(SPACES[name](), runtime=runtime, progress=lambda text: print(f"  {text}", flush=True))
    print(f"  {len(table.entries)} entries in {time.monotonic() - started:.0f} s")
    if path is not None:
        table.save(path)
    return table


def compare(name: str, runtime: str, number: int, folder: Path | None) -> None:
    """Prints how well the table of a space agrees with whole networks."""
    print(f"{name}, {runtime}", flush=True)
    space, table = SPACES[name](), table_of(name, runtime, folder)
    networks = [network(space, space.random_decisions(seed=FIRST_SEED + i)) for i in range(number)]
    predicted = np.array([table.predict(model) for model in networks])
    networks = [with_random_weights(model) for model in networks]
    first, second = (np.array([t.ms for t in milliseconds_of(networks, runtime=runtime)]) for _ in range(2))
    errors = np.abs(predicted / first - 1.0)
    print(f"  networks of {first.min():.3g} to {first.max():.3g} ms; scale {table.scale:.3g}, ", end="")
    print(f"overhead {table.overhead_ms:.3g} ms")
    print(f"  predicted: Spearman {spearman(predicted, first):.3f}, ", end="")
    print(f"error {np.median(errors):.1%} in the median, {errors.max():.1%} at most")
    again = np.abs(second / first - 1.0)
    print(f"  measured again: Spearman {spearman(second, first):.3f}, ", end="")
    print(f"error {np.median(again):.1%} in the median, {again.max():.1%} at most", flush=True)


def main() -> None:
    """Compares what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spaces", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--runtime", default="litert", choices=("litert", "saved_model"))
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where tables are kept")
    arguments = parser.parse_args()
    use_one_core()
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.spaces:
        compare(name, arguments.runtime, arguments.networks, arguments.folder)


if __name__ == "__main__":
    main()
