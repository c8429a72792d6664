"""Pruning by reinforcement: on a table, against pruning at random; and searches in a bounded memory.

    python benchmarks/radars.py --table-of-cells --seeds 30
    python benchmarks/radars.py --budgets none 1.6GiB 1.7GiB 1.8GiB 1.9GiB 2GiB --out radars.jsonl
    python benchmarks/radars.py --table radars.jsonl

On the table: NAS-Bench-201, 6 edges of 5 operations each, reward the validation accuracy of the training of 12 epochs
on CIFAR-10; three rounds of 150 networks leave 2 operations an edge. Test accuracies, of the training of 200 epochs,
are looked up afterwards.

In bounded memory: a chain of six choices between eight operations, in three stages, on small Fashion-MNIST, whose
supernet takes more than each of the budgets. A process each, on one core: `RadarsTuner` for each budget, and beside it
`darts`, the search of all options (budget `none`). The budget, and what is measured, is all main memory that the
process holds: interpreter, TensorFlow and data included, about 0.7 GiB before anything is built, for this is what a
machine runs out of.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from cores import run_on_cores, use_one_core
from reference_data import load, loaders

GIB = 2**30
LAYERS = 6
OPERATIONS = (
    "skip_connect",
    "avg_pool_3x3",
    "max_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


class Cells:
    """NAS-Bench-201 as a reward: the cells that some operations of each edge allow, and what is known of them."""

    def __init__(self) -> None:
        from keras_dha.spaces import NASBench201Space

        module = loaders()
        table = module.nasbench201()
        self.operations = module.OPS
        self.names = [f"edge_{target}_from_{source}" for source, target in module.EDGES]
        self.choices = NASBench201Space((8, 8, 1), 10, channels=1, cells_per_stage=1, stages=1).choices()
        self._rewards, self._test = table["val12_cifar10"] / 100.0, table["test200_cifar10"]
        self._row = {tuple(row): number for number, row in enumerate(table["ops"].tolist())}

    def _number(self, operations: Any) -> int:
        return self._row[tuple(self.operations.index(operation) for operation in operations)]

    def reward(self, path: Any) -> float:
        """Validation accuracy after 12 epochs, in [0, 1]."""
        return float(self._rewards[self._number(path[name][0] for name in self.names)])

    def of(self, alive: Any) -> dict[str, float]:
        """Mean test accuracy of the cells that are left, and that of the best by validation, in percent."""
        rows = np.array([self._number(cell) for cell in itertools.product(*(alive[name] for name in self.names))])
        best = rows[np.argmax(self._rewards[rows])]
        return {"cells": len(rows), "mean": float(self._test[rows].mean()), "best": float(self._test[best])}

    def pruned(self, seed: int, min_spread: float = 0.0) -> dict[str, float]:
        """What is left by reinforcement, with equal sizes of operations: 12 of 30 fit."""
        from keras_dha.tuners import Pruning, SpacePruning

        rounds = SpacePruning(
            self.choices,
            lambda alive: sum(map(len, alive.values())),
            12,
            pruning=Pruning(min_spread=min_spread),
            seed=seed,
        )
        queries = 0
        while not rounds.done:
            path = rounds.propose()
            rounds.observe(path, self.reward(path))
            queries += 1
        return {**self.of(rounds.alive()), "queries": queries}

    def at_random(self, seed: int) -> dict[str, float]:
        """What is left by chance."""
        rng = np.random.default_rng(seed)
        return self.of({name: rng.choice(self.operations, 2, replace=False).tolist() for name in self.names})


def table_of_cells(seeds: int) -> str:
    """Means and standard deviations over seeds, as Markdown."""
    cells = Cells()
    kinds = {
        "pruned by reinforcement": cells.pruned,
        "the same, with `min_spread=0.01`": lambda seed: cells.pruned(seed, 0.01),
        "pruned at random": cells.at_random,
    }
    rows = [
        "| | mean test accuracy of the 64 left | test accuracy of the best by validation | queries |",
        "|---|---|---|---|",
    ]
    for name, run in kinds.items():
        found = [run(seed) for seed in range(seeds)]
        mean, best = (np.array([each[key] for each in found]) for key in ("mean", "best"))
        queries = statistics.mean(each.get("queries", 0) for each in found)
        rows.append(
            f"| {name} | {mean.mean():.2f} +- {mean.std(ddof=1):.2f} (min {mean.min():.2f}) "
            f"| {best.mean():.2f} +- {best.std(ddof=1):.2f} (min {best.min():.2f}) | {queries:.0f} |"
        )
    return "\n".join(rows)


def make_space(channels: int) -> Any:
    """A chain of choices between operations of DARTS, and a 3x3 convolution."""
    import keras

    import keras_dha
    from keras_dha.spaces.operations import DARTS_OPERATIONS, batch_norm, conv, relu_conv_bn

    def relu_conv(number: int, strides: int, affine: bool) -> keras.Sequential:
        return relu_conv_bn(number, 3, strides, affine)

    class Chain(keras_dha.SearchSpace):
        def build(self, choose: Any) -> keras.Model:
            inputs = keras.Input(self.input_shape)
            x = keras.Sequential([*conv(channels, 3), batch_norm()])(inputs)
            for number in range(LAYERS):
                if number and number % 2 == 0:
                    x = keras.Sequential([*conv(2 * x.shape[-1], 1), keras.layers.MaxPooling2D(2), batch_norm()])(x)
                makers = {**{name: DARTS_OPERATIONS[name] for name in OPERATIONS}, "conv_3x3": relu_conv}
                options = {name: lambda make=make, n=x.shape[-1]: make(n, 1, True) for name, make in makers.items()}
                x = choose.op(f"layer_{number}", options)(x)
            x = keras.layers.BatchNormalization()(x)
            x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
            return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    return Chain((28, 28, 1), 10)


def search(arguments: argparse.Namespace) -> dict[str, Any]:
    """One search in this process: of all options if the budget is `none`."""
    import keras

    import keras_dha
    from keras_dha.costs import peak_resident_bytes, resident_bytes
    from keras_dha.recipes import darts
    from keras_dha.schedules import Schedule
    from keras_dha.tuners import Pruning, RadarsTuner

    data = load("fashion_mnist_small")
    space, started = make_space(arguments.channels), time.monotonic()
    recipe = darts().replace(schedule=Schedule(search_fraction=0.5, warmup_fraction=0.0))
    optimizer = lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=3e-4, global_clipnorm=5.0)  # noqa: E731
    recipe = recipe.replace(optimizer=optimizer, architecture_optimizer=lambda: keras.optimizers.Adam(0.02, beta_1=0.5))
    common = {"batch_size": arguments.batch_size, "epochs": arguments.epochs, "verbose": 0}
    budget, seed = arguments.budgets[0], arguments.seed
    result: dict[str, Any] = {"budget": budget, "seed": seed, "idle": resident_bytes()}
    if budget == "none":
        predicted = RadarsTuner(space, 1, recipe=recipe).memory(arguments.batch_size) + resident_bytes()
        model = keras_dha.SearchModel(space, recipe, seed=seed)
        model.fit(data["x_train"], data["y_train"], **common)
        result |= {"predicted": {"supernet": predicted}, "rounds": 0, "options": LAYERS * (1 + len(OPERATIONS))}
    else:
        pruning = Pruning(samples=arguments.samples, learning_rate=10.0)
        model = RadarsTuner(space, budget, recipe=recipe, pruning=pruning, seed=seed)
        model.search(data["x_train"], data["y_train"], warmup_steps=arguments.warmup_steps, **common)
        history = model.history
        result |= {key: history[key] for key in ("predicted", "measured", "alive")}
        result |= {"rounds": len(history["rounds"]), "options": sum(map(len, history["alive"].values()))}
        result["rewards"] = [each["mean_reward"] for each in history["rounds"]]
        result["entropies"] = [each["entropy"] for each in history["rounds"]]
    result |= {"peak": peak_resident_bytes(), "seconds": time.monotonic() - started}
    derived = model.derive()
    scores = derived.evaluate(data["x_test"], data["y_test"], verbose=0, return_dict=True)
    return result | {"test": scores["accuracy"], "decisions": {k: v[0] for k, v in model.decisions().items()}}


def table(lines: list[dict[str, Any]]) -> str:
    """A row a budget, over seeds, as Markdown: sizes in GiB, the largest of the seeds."""
    rows = [
        "| budget | plain DARTS instead | options left | predicted | measured peak | test accuracy | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    whole = [line for line in lines if line["budget"] == "none"]
    plain = f"{max(line['peak'] for line in whole) / GIB:.2f}" if whole else "not run"
    for budget in sorted({line["budget"] for line in lines}):
        runs = [line for line in lines if line["budget"] == budget]
        accuracies = ", ".join(f"{run['test']:.4f}" for run in runs)
        sizes = [max(max(run["predicted"].get(key, 0) for key in ("paths", "supernet")) for run in runs)]
        sizes.append(max(run["peak"] for run in runs))
        options = ", ".join(str(run["options"]) for run in runs)
        seconds = round(statistics.mean(run["seconds"] for run in runs))
        name, other = ("none: plain DARTS", "") if budget == "none" else (budget, plain)
        cells = [name, other, options, *(f"{size / GIB:.2f}" for size in sizes), accuracies, str(seconds)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for, each search in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table-of-cells", action="store_true")
    parser.add_argument("--seeds", type=int, default=30, help="of the table of cells")
    parser.add_argument("--budgets", nargs="+", default=["none", "1.6GiB", "1.7GiB", "1.8GiB", "1.9GiB", "2GiB"])
    parser.add_argument("--search-seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--seed", type=int, default=0, help="of one search in this process")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--samples", type=int, default=50, help="networks of a round")
    parser.add_argument("--warmup-steps", type=int, default=60)
    parser.add_argument("--cores", nargs="+", type=int, default=[0])
    parser.add_argument("--out", default="radars.jsonl")
    parser.add_argument("--here", action="store_true", help="one search, in this process")
    parser.add_argument("--table", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
    elif arguments.table_of_cells:
        print(table_of_cells(arguments.seeds))
    elif arguments.here:
        use_one_core()
        result = search(arguments)
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(json.dumps(result), flush=True)
    else:
        passed = {
            name: getattr(arguments, name) for name in ("batch_size", "channels", "epochs", "samples", "warmup_steps")
        }
        common = [f"--{name.replace('_', '-')}={value}" for name, value in passed.items()]
        command = [sys.executable, __file__, "--here", *common, "--out", arguments.out]
        runs = [(budget, seed) for seed in arguments.search_seeds for budget in arguments.budgets]
        run_on_cores([[*command, "--budgets", budget, f"--seed={seed}"] for budget, seed in runs], arguments.cores)


if __name__ == "__main__":
    main()
