"""Learning rate and weight decay learned in one fit from bad starts, beside a grid of 25, at equal epochs.

    python benchmarks/tuned_in_one_fit.py --data digits fashion_mnist --grid --out grid.jsonl
    python benchmarks/tuned_in_one_fit.py --data digits fashion_mnist --from grid.jsonl --out learned.jsonl
    python benchmarks/tuned_in_one_fit.py --table grid.jsonl learned.jsonl
    python benchmarks/tuned_in_one_fit.py --around 0.03 0.001 --out around.jsonl

A small convolutional network, SGD with Nesterov momentum. All runs have the same epochs, in the second half of which
the learning rate is annealed. Runs of the grid train on all training data; the learned ones learn from a fifth of it in
the first half, which goes back to it after that. They start at the best point of the grid (its mean over seeds), and
from there 30 times lower and higher in the learning rate, 100 times lower and higher in the decay. The best point is
chosen by test accuracy, which favours the grid; `--around` starts from another one. Runs have one thread, on a core
each.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from cores import run_on_cores, use_one_core
from reference_data import load

import keras_dha
from keras_dha import hypergradients
from keras_dha.augmentation import RandAugment
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.optimizers import MomentumSGD

RATES, DECAYS = (0.003, 0.01, 0.03, 0.1, 0.3), (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
STARTS = {"best": (1, 1), "rate/30": (1 / 30, 1), "rate*30": (30, 1), "decay/100": (1, 1 / 100), "decay*100": (1, 100)}
BOUNDS = {"rate": (1e-5, 10.0), "decay": (1e-8, 10.0)}
EPOCHS = {"digits": 30, "fashion_mnist": 12}


def digits() -> dict[str, np.ndarray]:
    """Of scikit-learn, a third of them for testing."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, order = np.round(x.reshape(-1, 8, 8, 1) * 15.9).astype("uint8"), np.random.default_rng(0).permutation(len(y))
    train, test = order[:1200], order[1200:]
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


def data_of(name: str) -> dict[str, np.ndarray]:
    """Training and test part."""
    return digits() if name == "digits" else load(f"{name}_small")


def network(shape: tuple[int, ...]) -> keras.Model:
    """Two convolutions and a layer of classes."""
    inputs = x = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
    for width in (16, 32):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


def run(data: dict[str, np.ndarray], rate: float, decay: float, *, learns: bool, arguments: Any) -> dict[str, Any]:
    """One fit, and what it is worth on the test part."""
    keras.utils.set_random_seed(arguments.seed)
    schedule = keras_dha.schedules.Schedule(
        search_fraction=arguments.fraction,
        warmup_fraction=0.0,
        hyperparameters_every=arguments.every,
        hyperparameter_steps=0.1,
    )
    model = network(data["x_train"].shape[1:])
    if learns:
        parts = [
            LearningRate(rate, bounds=BOUNDS["rate"], max_step=arguments.max_step),
            WeightDecay(decay, bounds=BOUNDS["decay"], max_step=arguments.max_step),
        ]
        estimator = getattr(hypergradients, arguments.estimator)()
        search = keras_dha.SearchModel(
            model, hyperparameters=parts, hypergradients=estimator, schedule=schedule, seed=arguments.seed
        )
    else:
        policy = RandAugment(("Identity",), num_layers=1)
        search = keras_dha.SearchModel(model, augmentation=policy, schedule=schedule, seed=arguments.seed)
    optimizer = MomentumSGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    search.compile(optimizer, hyperparameter_optimizer=keras.optimizers.Adam(arguments.hyper_rate))
    history = search.fit(
        data["x_train"], data["y_train"], batch_size=64, epochs=arguments.epochs, verbose=0, held_out=0.2
    ).history
    value, accuracy = search.derive().evaluate(data["x_test"], data["y_test"], batch_size=500, verbose=0)
    found = {"rate": rate, "decay": decay, "accuracy": accuracy, "loss": value}
    if learns:
        found |= {"learned": search.hyperparameters(), "rates": history["learning_rate"]}
        found |= {"decays": history["weight_decay"]}
    return found


def points(lines: list[dict[str, Any]]) -> dict[tuple[str, float, float], list[float]]:
    """Data, rate and decay of the grid to the accuracies of its seeds; 0 for what diverged."""
    found = defaultdict(list)
    for line in lines:
        if line["start"] == "grid":
            found[line["data"], line["rate"], line["decay"]].append(line["accuracy"])
    return found


def best_of(lines: list[dict[str, Any]], data: str) -> tuple[float, float]:
    """Rate and decay of the best point of a grid."""
    means = {key[1:]: statistics.mean(values) for key, values in points(lines).items() if key[0] == data}
    return max(means, key=lambda key: means[key])


def table(lines: list[dict[str, Any]]) -> str:
    """Best, median and worst of the grid, and each start."""
    rows = ["| data | start | mean test accuracy | runs | to the best of the grid |", "|---|---|---|---|---|"]
    for data in dict.fromkeys(line["data"] for line in lines):
        means = sorted(statistics.mean(v) for key, v in points(lines).items() if key[0] == data)
        rate, decay = best_of(lines, data)
        rows.append(f"| {data} | best of the grid, {rate:g} and {decay:g} | {means[-1]:.4f} | | |")
        middle = statistics.median(means)
        rows.append(f"| {data} | median of the grid | {middle:.4f} | | {middle - means[-1]:+.4f} |")
        for start in STARTS:
            values = [line["accuracy"] for line in lines if (line["data"], line["start"]) == (data, start)]
            if values:
                each = ", ".join(f"{value:.4f}" for value in values)
                mean = statistics.mean(values)
                rows.append(f"| {data} | {start} | {mean:.4f} | {each} | {mean - means[-1]:+.4f} |")
    return "\n".join(rows)


def in_this_process(arguments: argparse.Namespace) -> None:
    """All runs of a seed on a data set."""
    use_one_core()
    name, arguments.seed = arguments.data[0], arguments.seeds[0]
    data = data_of(name)
    arguments.epochs = arguments.epochs or EPOCHS[name]
    todo: list[tuple[str, float, float]]
    if arguments.grid:
        todo = [("grid", rate, decay) for rate, decay in itertools.product(RATES, DECAYS)]
    else:
        rate, decay = arguments.around or best_of(
            [json.loads(line) for line in Path(arguments.origin).read_text().splitlines()], name
        )
        todo = [(start, rate * r, decay * d) for start, (r, d) in STARTS.items() if start in arguments.starts]
    for start, rate, decay in todo:
        began = time.monotonic()
        found = run(data, rate, decay, learns=start != "grid", arguments=arguments)
        found = {"data": name, "start": start, "seed": arguments.seed, "seconds": time.monotonic() - began, **found}
        settings = ("epochs", "every", "hyper_rate", "estimator", "fraction")
        found |= {key: getattr(arguments, key) for key in settings}
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps({k: v for k, v in found.items() if k not in ("rates", "decays")}), flush=True)


def main() -> None:
    """Runs what was asked for, a seed of a data set in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["digits"], choices=list(EPOCHS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=0, help="0: 30 of digits, 12 of Fashion-MNIST")
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--from", dest="origin", metavar="FILE", default="grid.jsonl")
    parser.add_argument("--around", nargs=2, type=float, metavar=("RATE", "DECAY"), help="in place of the best")
    parser.add_argument("--starts", nargs="+", default=list(STARTS), choices=list(STARTS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument("--hyper-rate", type=float, default=0.3)
    parser.add_argument("--max-step", type=float, default=0.5)
    parser.add_argument("--estimator", default="WholePath", help="the recipe's, or OneStep, or ForwardMode")
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="tuned_in_one_fit.jsonl")
    parser.add_argument("--table", nargs="+", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one seed, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        lines = [json.loads(line) for name in arguments.table for line in Path(name).read_text().splitlines()]
        print(table(lines))
    elif arguments.here:
        in_this_process(arguments)
    else:
        names = ("epochs", "every", "fraction", "hyper_rate", "max_step", "estimator", "out")
        common = ["--here", *(f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in names)]
        common += ["--around", *map(str, arguments.around)] if arguments.around else []
        common += ["--grid"] if arguments.grid else [f"--from={arguments.origin}", "--starts", *arguments.starts]
        run_on_cores(
            [
                [sys.executable, __file__, *common, "--data", data, "--seeds", str(seed)]
                for seed in arguments.seeds
                for data in arguments.data
            ],
            arguments.cores,
        )


if __name__ == "__main__":
    main()
