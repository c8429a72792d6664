"""How many networks of NAS-Bench-201 an oracle asks for until it has asked for the best one.

    python benchmarks/query_efficiency.py --data cifar10 cifar100 --out queries.jsonl
    python benchmarks/query_efficiency.py --table queries.jsonl

Every method is a KerasTuner oracle, run by a `keras_tuner.Tuner` whose trials look their score up: the validation
accuracy of one training run of the network, drawn anew for each seed among those that the table has. No test accuracy
is seen by a search. It is for the report: a *hit* is that a network of best test accuracy has been asked for, by any
trial, within `--queries`; *queries* is the number of the trial that did, and `--queries` if none did; *regret* is the
test accuracy of that best network minus that of the network of best validation among the first 50, 100, 150 and 200. A
search ends when it has a hit and 200 queries. Seconds are those of the oracle's `populate_space`, on one core: the mean
and the slowest call.

`--bayesian` is how many queries KerasTuner's Bayesian optimization is given, and its runs, for it takes about a second
a proposal. A run that is in the file already is not done again.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cores import run_on_cores, use_one_core
from reference_data import loaders

REGRET_AT = (50, 100, 150, 200)


def oracles() -> dict[str, Callable[..., Any]]:
    """What is compared, by name; each is called with KerasTuner's arguments."""
    import functools

    import keras_tuner

    from keras_dha.tuners import CellPaths, ParzenOracle, RegularizedEvolutionOracle, WeakPredictorOracle

    weak = functools.partial(WeakPredictorOracle, encoding=CellPaths.of_nas_bench_201())
    wide: dict[str, Any] = {"round_size": 10, "pool_size": 100, "labels": "scores"}
    return {
        "weak, boosting, paths": weak,
        "weak, boosting, paths, expected improvement": functools.partial(weak, acquisition="expected_improvement"),
        "weak, forest, paths": functools.partial(weak, predictor="forest"),
        "weak, boosting": WeakPredictorOracle,
        "weak, tree, as published": functools.partial(WeakPredictorOracle, predictor="tree", **wide),
        "weak, mlp, as published": functools.partial(WeakPredictorOracle, predictor="mlp", **wide),
        "evolution 50 / 10": RegularizedEvolutionOracle,
        "evolution 10 / 3": functools.partial(RegularizedEvolutionOracle, population_size=10, sample_size=3),
        "TPE, multivariate": ParzenOracle,
        "KerasTuner Bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        "random": keras_tuner.oracles.RandomSearchOracle,
    }


class Benchmark:
    """The scores of a data set's networks.

    Args:
        data: `"cifar10"` or `"cifar100"`.
    """

    def __init__(self, data: str) -> None:
        module = loaders()
        table = module.nasbench201()
        names = [f"edge_{target}_from_{source}" for source, target in module.EDGES]
        self.names, self.operations = names, list(module.OPS)
        self.rows = {tuple(row): i for i, row in enumerate(table["ops"].tolist())}
        self.validation, self.test = table[f"val200_{data}"], table[f"test200_{data}"].astype(float)
        self.best = set(np.flatnonzero(self.test >= self.test.max() - 1e-4).tolist())

    def row(self, values: dict[str, Any]) -> int:
        """Of a point of the space."""
        return self.rows[tuple(self.operations.index(values[name]) for name in self.names)]

    def labels(self, seed: int) -> np.ndarray:
        """One training run of each network, drawn from those that there are."""
        rng = np.random.default_rng([seed, 201])
        chance = np.where(np.isnan(self.validation), -1.0, rng.random(self.validation.shape))
        return self.validation[np.arange(len(chance)), chance.argmax(axis=1)].astype(float)

    def hyperparameters(self) -> Any:
        """The space of cells, as `keras_dha.tuners.TrialChooser` asks for it."""
        import keras_tuner

        space = keras_tuner.HyperParameters()
        for name in sorted(self.names):
            space.Choice(name, self.operations)
        return space


def search(benchmark: Benchmark, make: Callable[..., Any], seed: int, queries: int) -> dict[str, Any]:
    """One search: the rows that were asked for, and how long that took."""
    import keras_tuner

    labels, asked, seconds = benchmark.labels(seed), [], []

    class Lookup(keras_tuner.Tuner):
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            asked.append(benchmark.row(trial.hyperparameters.values))
            if len(asked) >= REGRET_AT[-1] and benchmark.best & set(asked):
                self.oracle.max_trials = 1  # all that will be reported is known
            return {"score": float(labels[asked[-1]])}

    oracle = make(
        objective=keras_tuner.Objective("score", "max"),
        max_trials=queries,
        hyperparameters=benchmark.hyperparameters(),
        seed=seed + 1,  # KerasTuner's own oracles take 0 for none
    )
    propose = oracle.populate_space

    def timed(trial_id: str) -> Any:
        started = time.monotonic()
        answer = propose(trial_id)
        seconds.append(time.monotonic() - started)
        return answer

    oracle.populate_space = timed
    with tempfile.TemporaryDirectory() as folder:
        Lookup(oracle, directory=folder, project_name="search").search(verbose=0)
    hits = [number for number, row in enumerate(asked, start=1) if row in benchmark.best]
    best_by_validation = [max(asked[:n], key=lambda row: labels[row]) for n in REGRET_AT if len(asked) >= n]
    return {
        "queries": queries,
        "hit": hits[0] if hits else None,
        "regret": [float(benchmark.test.max() - benchmark.test[row]) for row in best_by_validation],
        "seconds": statistics.mean(seconds),
        "slowest": max(seconds),
        "repeated": len(asked) - len(set(asked)),
    }


def table(lines: list[dict[str, Any]]) -> str:
    """Means over the runs, as Markdown."""
    heads = ["data", "method", "runs", "hit", "queries", "of hits", *(f"regret@{n}" for n in REGRET_AT), "s (slowest)"]
    rows = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for data in dict.fromkeys(line["data"] for line in lines):
        for method in dict.fromkeys(line["method"] for line in lines):
            runs = [line for line in lines if (line["data"], line["method"]) == (data, method)]
            if not runs:
                continue
            hits = [run["hit"] for run in runs if run["hit"]]
            capped = [run["hit"] or run["queries"] for run in runs]
            error = statistics.stdev(capped) / math.sqrt(len(capped)) if len(capped) > 1 else 0.0
            regrets = [[run["regret"][i] for run in runs if len(run["regret"]) > i] for i in range(len(REGRET_AT))]
            cells = [
                *(data, method, f"{len(runs)}", f"{len(hits) / len(runs):.2f} by {runs[0]['queries']}"),
                *(f"{statistics.mean(capped):.0f} ± {error:.0f}", f"{statistics.mean(hits):.0f}" if hits else "-"),
                *(f"{statistics.mean(regret):.2f}" if regret else "-" for regret in regrets),
                f"{statistics.mean(run['seconds'] for run in runs):.3f} ({max(run['slowest'] for run in runs):.2f})",
            ]
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def read(path: str) -> list[dict[str, Any]]:
    """The runs that are in a file; none if it is not there."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def main() -> None:
    """Runs what was asked for, a process for each data set and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["cifar10", "cifar100"], choices=["cifar10", "cifar100"])
    parser.add_argument("--methods", nargs="+", default=[], help="of oracles(); default: all")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--bayesian", nargs=2, type=int, default=[100, 20], metavar=("QUERIES", "RUNS"))
    parser.add_argument("--cores", nargs="+", type=int, default=[0])
    parser.add_argument("--out", default="query_efficiency.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one data set and method, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(read(arguments.table)))
        return
    if not arguments.here:
        methods = arguments.methods or list(oracles())
        common = ["--here", "--bayesian", *map(str, arguments.bayesian), f"--out={arguments.out}"]
        common += [
            f"--{name}={getattr(arguments, name.replace('-', '_'))}" for name in ("runs", "first-seed", "queries")
        ]
        command = [sys.executable, __file__, *common]
        pairs = [(data, method) for method in methods for data in arguments.data]
        run_on_cores([[*command, "--data", data, "--methods", method] for data, method in pairs], arguments.cores)
        return
    use_one_core()
    (data,), (method,) = arguments.data, arguments.methods
    queries, runs = arguments.bayesian if method == "KerasTuner Bayesian" else (arguments.queries, arguments.runs)
    done = {(line["data"], line["method"], line["seed"]) for line in read(arguments.out)}
    benchmark = Benchmark(data)
    for seed in range(arguments.first_seed, arguments.first_seed + runs):
        if (data, method, seed) not in done:
            found = search(benchmark, oracles()[method], seed, queries)
            result = {"data": data, "method": method, "seed": seed, **found}
            with Path(arguments.out).open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
