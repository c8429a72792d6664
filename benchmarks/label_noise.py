"""Learned smoothing of labels, or decay, where a fifth of the training labels are wrong, at equal epochs.

    python benchmarks/label_noise.py --seeds 0 1 2 3 4 --out noise.jsonl
    python benchmarks/label_noise.py --table noise.jsonl

The digits, the network and the optimizer of `tuned_in_one_fit.py`, its learning rate given. A fifth of the training
labels, held-out ones too, are drawn anew; the test part is as it was. `none` learns nothing: the defaults of the
library (no smoothing, a decay of 5e-4). The others name what is learned, and by which estimator. Runs have one thread,
on a core each.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from cores import run_on_cores, use_one_core
from tuned_in_one_fit import data_of, network

import keras_dha
from keras_dha import hypergradients
from keras_dha.augmentation import RandAugment
from keras_dha.hyperparameters import L2, DropoutRate, Hyperparameter, LabelSmoothing, WeightDecay
from keras_dha.optimizers import MomentumSGD

DECAY = 5e-4
PARTS = {
    "smoothing": lambda: LabelSmoothing(),
    "decay": lambda: WeightDecay(DECAY, bounds=(1e-6, 0.5)),
    "l2": lambda: L2(),
    "dropout": lambda: DropoutRate(),
}
CASES = ("none", "smoothing:T1T2", "smoothing:ForwardMode", "decay:OneStep", "decay:ForwardMode")


def run(case: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One fit, and what it is worth on right labels."""
    data, rng = data_of(arguments.data), np.random.default_rng(seed)
    wrong = rng.random(len(data["y_train"])) < arguments.noise
    y = np.where(wrong, rng.integers(0, 10, len(wrong)), data["y_train"])
    keras.utils.set_random_seed(seed)
    model = network(data["x_train"].shape[1:])
    schedule = keras_dha.schedules.Schedule(
        search_fraction=arguments.fraction, warmup_fraction=0.0, hyperparameters_every=1, hyperparameter_steps=0.1
    )
    names, _, estimator = case.partition(":")
    learned: list[Hyperparameter] = [PARTS[name]() for name in names.split("+") if name != "none"]
    given: dict[str, Any] = {"augmentation": RandAugment(("Identity",), num_layers=1)}
    if learned:
        given = {
            "hyperparameters": learned,
            "hypergradients": [getattr(hypergradients, n)() for n in estimator.split("+")],
        }
    search = keras_dha.SearchModel(model, schedule=schedule, seed=seed, **given)
    optimizer = MomentumSGD(arguments.rate, momentum=0.9, nesterov=True, weight_decay=DECAY)
    search.compile(optimizer, hyperparameter_optimizer=keras.optimizers.Adam(arguments.hyper_rate))
    search.fit(data["x_train"], y, batch_size=64, epochs=arguments.epochs, verbose=0, held_out=0.2)
    value, accuracy = search.derive().evaluate(data["x_test"], data["y_test"], batch_size=500, verbose=0)
    return {"case": case, "seed": seed, "accuracy": accuracy, "loss": value, "learned": search.hyperparameters()}


def table(lines: list[dict[str, Any]]) -> str:
    """Mean, spread and single runs, as Markdown."""
    rows = ["| learned | mean test accuracy | standard deviation | runs | mean loss |", "|---|---|---|---|---|"]
    for case in dict.fromkeys(line["case"] for line in lines):
        values = [line["accuracy"] for line in lines if line["case"] == case]
        loss = statistics.mean(line["loss"] for line in lines if line["case"] == case)
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        each = ", ".join(f"{value:.4f}" for value in values)
        rows.append(f"| {case} | {statistics.mean(values):.4f} | {spread:.4f} | {each} | {loss:.3f} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for, a seed of a case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), help="'none', or parts:estimators, with + between")
    parser.add_argument("--data", default="digits", choices=["digits", "fashion_mnist"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--rate", type=float, default=0.03)
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument("--hyper-rate", type=float, default=0.3)
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="label_noise.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="all runs in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
    elif arguments.here:
        use_one_core()
        for seed in arguments.seeds:
            for case in arguments.cases:
                found = run(case, seed, arguments)
                with Path(arguments.out).open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(json.dumps(found), flush=True)
    else:
        names = ("data", "epochs", "noise", "rate", "fraction", "hyper_rate", "out")
        common = ["--here", *(f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in names)]
        command = [sys.executable, __file__, *common, "--cases", *arguments.cases, "--seeds"]
        run_on_cores([[*command, str(seed)] for seed in arguments.seeds], arguments.cores)


if __name__ == "__main__":
    main()
