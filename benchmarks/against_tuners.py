"""One fit that learns its learning rate and decay, beside KerasTuner over the same two, with the same training steps.

    python benchmarks/against_tuners.py --data digits fashion_mnist --seeds 0 1 2 --out tuners.jsonl
    python benchmarks/against_tuners.py --table tuners.jsonl

The network and the optimizer of `tuned_in_one_fit.py`. Every method has the same number of epochs in all: `one_fit` in
one fit, from the library's defaults; random search and Bayesian optimization in trials of `--trial` epochs, Hyperband
in trials of up to so many, all with the learning rate annealed in the second half of a trial. A fifth of the training
data tells KerasTuner which trial is best, and is what `one_fit` learns from. The model that is tested is that of the
best trial, as it was trained. `default` is a fit with the defaults and nothing learned. Runs have one thread, on a core
each; seconds are those of the processor.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from cores import run_on_cores, use_one_core
from tuned_in_one_fit import data_of, network

import keras_dha
from keras_dha.augmentation import RandAugment
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.optimizers import MomentumSGD

RATES, DECAYS, START = (1e-4, 1.0), (1e-6, 1e-1), (0.05, 5e-4)
METHODS = ("default", "one_fit", "random", "hyperband", "bayesian")
EPOCHS = {"digits": 120, "fashion_mnist": 60}


class Counter(keras.callbacks.Callback):
    """Counts the epochs of all trials; KerasTuner copies its callbacks."""

    epochs = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """One more."""
        type(self).epochs += 1


class Annealed(keras.callbacks.Callback):
    """Lowers the rate in the second half of a trial, as a search model does."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Moves the rate of the optimizer."""
        if epoch == 0 or not hasattr(self, "rate"):
            self.rate = float(self.model.optimizer.learning_rate.numpy())
        done = max(0.0, 2.0 * epoch / self.params["epochs"] - 1.0)
        self.model.optimizer.learning_rate.assign(self.rate * 0.5 * (1.0 + math.cos(math.pi * done)))


def compiled(shape: tuple[int, ...], rate: float, decay: float) -> keras.Model:
    """The network with these numbers."""
    model = network(shape)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = MomentumSGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def one_fit(data: dict[str, np.ndarray], epochs: int, seed: int, *, learns: bool) -> tuple[keras.Model, Any]:
    """A search model's fit, and what it learned."""
    schedule = keras_dha.schedules.Schedule(search_fraction=0.5, warmup_fraction=0.0)
    given: dict[str, Any] = {"augmentation": RandAugment(("Identity",), num_layers=1), "schedule": schedule}
    if learns:
        given = {"hyperparameters": [LearningRate(START[0], bounds=RATES), WeightDecay(START[1], bounds=DECAYS)]}
    search = keras_dha.SearchModel(compiled(data["x_train"].shape[1:], *START), seed=seed, **given)
    search.fit(data["x_train"], data["y_train"], batch_size=64, epochs=epochs, verbose=0, held_out=0.2)
    return search.derive(), search.hyperparameters()


def tuned(data: dict[str, np.ndarray], method: str, epochs: int, trial: int, seed: int) -> tuple[keras.Model, Any]:
    """The best trial of a KerasTuner search, and its numbers."""
    x, y = data["x_train"], data["y_train"]
    order = np.random.default_rng(seed).permutation(len(y))
    held_out, kept = np.split(order, [len(y) // 5])

    def build(hp: keras_tuner.HyperParameters) -> keras.Model:
        rate = hp.Float("rate", *RATES, sampling="log", default=START[0])
        return compiled(x.shape[1:], rate, hp.Float("decay", *DECAYS, sampling="log", default=START[1]))

    common: dict[str, Any] = {"objective": "val_accuracy", "seed": seed, "project_name": "p", "overwrite": True}
    with tempfile.TemporaryDirectory() as folder:
        common["directory"] = folder
        if method == "hyperband":
            tuner = keras_tuner.Hyperband(build, max_epochs=trial, factor=3, hyperband_iterations=100, **common)
        else:
            kind = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}[method]
            tuner = kind(build, max_trials=max(1, epochs // trial), **common)
        oracle = tuner.oracle
        next_trial = oracle.create_trial

        def create_trial(tuner_id: str) -> Any:
            found = next_trial(tuner_id)
            if Counter.epochs >= epochs:
                found.status = "STOPPED"
            return found

        oracle.create_trial = create_trial
        arguments: dict[str, Any] = {"shuffle": False, "verbose": 0, "callbacks": [Counter(), Annealed()]}
        if method != "hyperband":
            arguments["epochs"] = trial
        rows = keras_dha.data.reshuffled(x[kept], y[kept], batch_size=64, seed=seed)
        tuner.search(rows, validation_data=(x[held_out], y[held_out]), **arguments)
        return tuner.get_best_models(1)[0], tuner.get_best_hyperparameters(1)[0].values


def run(name: str, method: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One method, and what it is worth on the test part."""
    data, epochs = data_of(name), arguments.epochs or EPOCHS[name]
    keras.utils.set_random_seed(seed)
    began = time.monotonic()
    if method in ("default", "one_fit"):
        model, numbers = one_fit(data, epochs, seed, learns=method == "one_fit")
    else:
        model, numbers = tuned(data, method, epochs, arguments.trial, seed)
    seconds = time.monotonic() - began
    value, accuracy = model.evaluate(data["x_test"], data["y_test"], batch_size=500, verbose=0)
    spent = Counter.epochs if method not in ("default", "one_fit") else epochs
    found = {"data": name, "method": method, "seed": seed, "accuracy": accuracy, "loss": value, "seconds": seconds}
    return {**found, "epochs": spent, "numbers": {k: v for k, v in numbers.items() if isinstance(v, float)}}


def table(lines: list[dict[str, Any]]) -> str:
    """Mean, spread, time, as Markdown."""
    rows = ["| data | method | mean test accuracy | runs | epochs | seconds |", "|---|---|---|---|---|---|"]
    for data in dict.fromkeys(line["data"] for line in lines):
        for method in METHODS:
            mine = [line for line in lines if (line["data"], line["method"]) == (data, method)]
            if mine:
                values = [line["accuracy"] for line in mine]
                each = ", ".join(f"{value:.4f}" for value in values)
                epochs, seconds = (statistics.median(line[key] for line in mine) for key in ("epochs", "seconds"))
                rows.append(
                    f"| {data} | {method} | {statistics.mean(values):.4f} | {each} | {epochs:.0f} | {seconds:.0f} |"
                )
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["digits"], choices=list(EPOCHS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=0, help="in all; 0: 120 of digits, 60 of Fashion-MNIST")
    parser.add_argument("--trial", type=int, default=12, help="epochs of a trial")
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="against_tuners.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
    elif arguments.here:
        use_one_core()
        found = run(arguments.data[0], arguments.methods[0], arguments.seeds[0], arguments)
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)
    else:
        common = ["--here", f"--epochs={arguments.epochs}", f"--trial={arguments.trial}", f"--out={arguments.out}"]
        runs = [(d, m, s) for s in arguments.seeds for d in arguments.data for m in arguments.methods]
        run_on_cores(
            [
                [sys.executable, __file__, *common, "--data", data, "--methods", method, "--seeds", str(seed)]
                for data, method, seed in runs
            ],
            arguments.cores,
        )


if __name__ == "__main__":
    main()
