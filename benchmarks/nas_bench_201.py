"""The cells that recipes find on CIFAR-10, looked up in NAS-Bench-201.

    python benchmarks/nas_bench_201.py --recipes dsnas gdas --seeds 0 1 2 --minutes 10 --out cells.jsonl
    python benchmarks/nas_bench_201.py --table cells.jsonl

Each run searches the space with 8 channels and one cell a stage on the training part of `cifar10_12k` for `--minutes`,
tracing included, without settling; the cell it would keep is looked up: the mean test accuracy after 200 epochs of the
full network on the full data, which nothing here has seen. `random` keeps a cell drawn uniformly. Augmentation is crop
and mirroring, hyper-parameters are not searched: the table compares searches of architecture. Each run has one thread
on a core of its own, and its minutes are those of processor time, so that as many run at once as `--cores` names.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from cores import run_on_cores, use_one_core
from reference_data import load, loaders

SPACE_MEAN = 87.06  # of the 15,625 test accuracies


def search(name: str, seed: int, seconds: float, batch_size: int) -> dict[str, Any]:
    """Searches in this process; returns what was kept and what was warned of."""
    import keras

    import keras_dha
    from keras_dha.augmentation import Crop, HorizontalFlip, PairPolicy
    from keras_dha.diagnostics import WiringEvolution

    space = keras_dha.spaces.NASBench201Space((32, 32, 3), 10, channels=8, cells_per_stage=1)
    if name == "random":
        return {"decisions": dict(space.random_decisions(seed=seed)), "alerts": [], "epochs": 0}
    data = load("cifar10_12k")
    policy = PairPolicy(base=(Crop(), HorizontalFlip()), search_magnitude=0.0, settle_magnitude=0.0)
    recipe = keras_dha.recipes.RECIPES[name]()
    model = keras_dha.SearchModel(space, recipe, augmentation=policy, hyperparameters=None, seed=seed)
    watch = WiringEvolution((data["x_train"][:256], data["y_train"][:256]))

    class UntilSettled(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = self.model.stop_training or self.model.settled

    # The share of the search in a fit is the recipe's; the fit is as long as makes it `seconds`.
    budget = seconds / recipe.schedule.search_fraction
    history = model.fit(
        data["x_train"],
        data["y_train"],
        batch_size=batch_size,
        epochs=100000,
        time_budget=budget,
        verbose=0,
        callbacks=[watch, UntilSettled()],
    ).history
    return {
        "decisions": {key: list(kept) for key, kept in model.decisions().items()},
        "alerts": sorted(watch.alerts),
        "epochs": history["phase"].index(1.0) if 1.0 in history["phase"] else len(history["phase"]),
        "probabilities": watch.records[-1]["probabilities"] if watch.records else {},
    }


def looked_up(decisions: dict[str, Any]) -> dict[str, Any]:
    """The architecture's string and its test accuracy."""
    from keras_dha.spaces import NASBench201Space

    module = loaders()
    kept = [decisions[f"edge_{j}_from_{i}"] for i, j in module.EDGES]
    numbers = [module.OPS.index(option if isinstance(option, str) else option[0]) for option in kept]
    table = module.nasbench201()
    (row,) = np.flatnonzero((table["ops"] == numbers).all(axis=1))
    return {"architecture": NASBench201Space.to_string(decisions), "test200": float(table["test200_cifar10"][row])}


def table(lines: list[dict[str, Any]]) -> str:
    """Mean and single runs by recipe, as Markdown."""
    rows = ["| recipe | mean test accuracy | runs | epochs of search | alerts |", "|---|---|---|---|---|"]
    for name in sorted({line["recipe"] for line in lines}):
        runs = [line for line in lines if line["recipe"] == name]
        values = [run["test200"] for run in runs]
        each = ", ".join(f"{value:.2f}" for value in values)
        epochs = round(statistics.mean(run["epochs"] for run in runs))
        alerts = sum(bool(run["alerts"]) for run in runs)
        rows.append(f"| `{name}` | {statistics.mean(values):.2f} | {each} | {epochs} | in {alerts} of {len(runs)} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for, each search in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=["dsnas", "gdas", "ista_nas", "darts_prime"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=20.0, help="processor time of a search")
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--out", default="nas_bench_201.jsonl")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    parser.add_argument("--table", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
        print(f"Mean of the space: {SPACE_MEAN}")
        return
    if arguments.here:
        use_one_core()
        name, seed, started = arguments.recipes[0], arguments.seeds[0], time.monotonic()
        found = search(name, seed, 60 * arguments.minutes, arguments.batch_size)
        result = {"recipe": name, "seed": seed, "processor_seconds": time.monotonic() - started, **found}
        result |= looked_up(found["decisions"])
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(json.dumps({key: value for key, value in result.items() if key != "probabilities"}))
        return
    common = [
        "--here",
        f"--minutes={arguments.minutes}",
        f"--batch-size={arguments.batch_size}",
        "--out",
        arguments.out,
    ]
    runs = [(name, str(seed)) for seed in arguments.seeds for name in arguments.recipes]
    command = [sys.executable, __file__]
    run_on_cores([[*command, "--recipes", name, "--seeds", seed, *common] for name, seed in runs], arguments.cores)


if __name__ == "__main__":
    main()
