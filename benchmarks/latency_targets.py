"""Networks for a latency: searched in one fit, beside random, uniformly scaled and hand-weighted ones at equal epochs.

    python benchmarks/latency_targets.py --data fashion_mnist cifar10 --out targets.jsonl
    python benchmarks/latency_targets.py --methods weight --weights 0.003 0.01 0.03 0.1 0.3 --out targets.jsonl
    python benchmarks/latency_targets.py --table targets.jsonl
    python benchmarks/latency_targets.py --methods step --shares 1.0 --out steps.jsonl
    python benchmarks/latency_targets.py --data cifar10 --space narrow --augment --epochs 20 --shares 0.6 0.8
    python benchmarks/latency_targets.py --methods drawn --shares 0.4 --draws 0 1 2 3 4 5 --hold-out --out drawn.jsonl

Latencies are those of LiteRT, one thread, one picture. `--latency FILE` is a table of the space, which is measured
first where there is none. A share is of the slowest network's latency. Methods:

- `largest`: that network.
- `search`: the recipe `single_path` with the share as its bound, in one fit.
- `retrained`: what `search` found with this share and seed, which must be in `--out`, with weights trained anew.
- `random`: a random network of 95 to 100 per cent of that latency, by the table.
- `uniform`: the largest network with all widths scaled by one factor, the largest whose measured latency is within it;
  the narrowest one if there is none.
- `weight`: the recipe with a weight of `log(latency)` that is given, without a bound.
- `drawn`: random networks of that latency, each of `--draws` with each seed; the table says how much networks differ,
  and how much seeds of one.
- `step`: no accuracy; what a step of the search costs beside one of the largest network, in time and memory.

All are trained by the same code, with the same epochs, batches, optimizer and fall of the learning rate; with
`--augment` pictures are mirrored and shifted at random for all. Each found network is measured in turns with the
largest one. Runs have one thread, on a core each; what `--out` has already is not run again.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from cores import run_on_cores, use_one_core
from reference_data import load

import keras_dha
from keras_dha.costs import BlockCost, LatencyTable, milliseconds_of, multiply_adds, parameters
from keras_dha.costs.covering import extreme_decisions, network
from keras_dha.costs.network_parts import with_random_weights
from keras_dha.spaces import Decisions, MobileNetSpace

METHODS = ("largest", "search", "random", "uniform", "retrained", "weight", "drawn", "step")
DATA = {"fashion_mnist": "fashion_mnist_small", "cifar10": "cifar10_12k"}
WIDTHS, BATCH, SHIFT = (2.0, 4.0, 8.0), 64, 3
SPACES: dict[str, dict[str, Any]] = {
    "small": {"channels": 4, "kernels": (3, 5), "expansions": (3, 6), "ratios": (0.0,), "repeats": 2},
    "large": {"channels": 4, "kernels": (3, 5), "expansions": (1, 3, 6), "ratios": (0.0,), "repeats": 3},
    "narrow": {"channels": 2, "kernels": (3, 5), "expansions": (3, 6), "ratios": (0.0,), "repeats": 3},
}
Arrays = dict[str, np.ndarray]


def space_of(shape: tuple[int, ...], name: str, factor: float = 1.0) -> MobileNetSpace:
    """The searched space, or one whose networks are so many times wider."""
    whole = SPACES[name]["channels"]
    channels = max(1, round(factor * whole))
    widths = tuple(max(1, round(factor * whole * width)) / channels for width in WIDTHS)
    return MobileNetSpace(shape, 10, **SPACES[name] | {"channels": channels, "widths": widths})


def arrays(name: str, space: str, *, hold_out: bool = False) -> Arrays:
    """Pictures of mean 0 and deviation 1, and labels; for choices of ours a fifth of the training part is the test."""
    data = dict(load(DATA[name]))
    if hold_out:
        cut = len(data["y_train"]) * 4 // 5
        for key in ("x", "y"):
            data |= {f"{key}_train": data[f"{key}_train"][:cut], f"{key}_test": data[f"{key}_train"][cut:]}
    mean, std = data["x_train"].mean(), data["x_train"].std()
    border = (32 - data["x_train"].shape[1]) // 2 if space == "large" else 0
    pads = ((0, 0), (border, border), (border, border), (0, 0))
    return data | {key: np.pad((data[key] - mean) / std, pads).astype("float32") for key in ("x_train", "x_test")}


def largest(space: MobileNetSpace, table: LatencyTable | None = None) -> Decisions:
    """The slowest network, by the table, or by multiply-adds."""
    return extreme_decisions(space, table.predict if table else multiply_adds)[1]


def recipe_of(arguments: argparse.Namespace, **bound: Any) -> keras_dha.recipes.Recipe:
    """The recipe, with another length of the search, or another noise at its start, if one is given."""
    recipe = keras_dha.recipes.single_path(**bound)
    share = recipe.schedule.warmup_fraction / recipe.schedule.search_fraction
    if arguments.keep_rate is not None:
        relaxation = keras_dha.relaxations.NormThreshold(noise=share, keep_rate=arguments.keep_rate)
        recipe = recipe.replace(relaxation=relaxation)
    if arguments.search_fraction is None:
        return recipe
    fractions = {"search_fraction": arguments.search_fraction, "warmup_fraction": share * arguments.search_fraction}
    fractions["anneal_from"] = max(arguments.search_fraction, recipe.schedule.anneal_from)
    return recipe.replace(schedule=keras_dha.schedules.Schedule(**recipe.schedule.get_config() | fractions))


def batches(data: Arrays, arguments: argparse.Namespace) -> tf.data.Dataset:
    """The training part, in a new order in each epoch; mirrored and shifted at random, if that is asked for."""
    rows = keras_dha.data.reshuffled(data["x_train"], data["y_train"], batch_size=BATCH, seed=arguments.seed)
    return rows.map(lambda x, y: (moved(x), y)) if arguments.augment else rows


def moved(x: tf.Tensor) -> tf.Tensor:
    """Pictures, each mirrored half of the time, and shifted by at most three whole pixels each way: none is blurred."""
    count, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    x = tf.where(tf.random.uniform((count, 1, 1, 1)) < 0.5, x[:, :, ::-1], x)
    x = tf.pad(x, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), "REFLECT")
    starts = tf.random.uniform((count, 2), 0, 2 * SHIFT + 1, tf.int32)
    x = tf.gather(x, starts[:, :1] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(x, starts[:, 1:] + tf.range(width), axis=2, batch_dims=1)


def fitted(
    space: MobileNetSpace, data: Arrays, recipe: Any, arguments: argparse.Namespace, decisions: Decisions | None = None
) -> keras_dha.SearchModel:
    """A search, fitted; or the network of these decisions, trained by the same code without one."""
    search = keras_dha.SearchModel(space, recipe, decisions=decisions, seed=arguments.seed)
    search.compile()
    search.fit(batches(data, arguments), epochs=arguments.epochs, verbose=0)
    return search


def randomly(space: MobileNetSpace, table: LatencyTable, target: float, seed: int) -> Decisions:
    """The first random network that is as fast, and nearly as slow."""
    cost = BlockCost.measure(space, table.predict)
    for draw in range(200_000):
        decisions = space.random_decisions(seed=1_000_000 * (seed + 1) + draw)
        if 0.95 * target <= cost.of(decisions) <= target:
            return decisions
    raise RuntimeError(f"Some network of the space must have {target:.3g} ms. Received: none of 200,000.")


def found_before(data_name: str, share: float, arguments: argparse.Namespace) -> Decisions:
    """What the search of these settings decided."""
    wanted = {"data": data_name, "method": "search", "share": share, "seed": arguments.seed}
    for line in lines_of(arguments.out):
        if all(line[key] == value for key, value in wanted.items()):
            return Decisions(line["decisions"])
    raise RuntimeError(f"{arguments.out} must hold the search that is to be trained again. Received: none of {wanted}.")


def lines_of(path: str) -> list[dict[str, Any]]:
    """What a file has already."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def uniformly(shape: tuple[int, ...], name: str, share: float) -> MobileNetSpace:
    """The space of the widest scaled network that is fast enough, by bisection over measurements; or the narrowest."""
    whole = with_random_weights(network(space_of(shape, name), largest(space_of(shape, name))))
    found: dict[tuple[Any, ...], MobileNetSpace] = {}
    for factor in np.arange(0.1, 1.0, 0.01):
        space = space_of(shape, name, factor)
        found.setdefault((space.channels, space.widths), space)
    spaces = list(found.values())
    low, high = 0, len(spaces)
    while high - low > 1:
        middle = (low + high) // 2
        other = with_random_weights(network(spaces[middle], largest(spaces[middle])))
        own, all_of_it = (timing.ms for timing in milliseconds_of([other, whole], runtime="litert"))
        low, high = (middle, high) if own <= share * all_of_it else (low, middle)
    return spaces[low]


def run(data_name: str, method: str, share: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """One method, its accuracy on the test part, and its measured latency."""
    data = arrays(data_name, arguments.space, hold_out=arguments.hold_out)
    table = LatencyTable.load(arguments.latency[0])
    shape = data["x_train"].shape[1:]
    space = space_of(shape, arguments.space)
    target = share * table.largest(space)
    keras.utils.set_random_seed(arguments.seed)
    began = time.monotonic()
    if method in ("search", "weight"):
        bound = {"max_latency_ms": target} if method == "search" else {"weight": share}
        search = fitted(space, data, recipe_of(arguments, **bound, table=table), arguments)
        decisions = search.decisions()
    else:
        makers: dict[str, Callable[[], Decisions]] = {
            "largest": lambda: largest(space, table),
            "random": lambda: randomly(space, table, target, arguments.seed),
            "drawn": lambda: randomly(space, table, target, arguments.draws[0]),
            "retrained": lambda: found_before(data_name, share, arguments),
            "uniform": lambda: largest(space),
        }
        decisions = makers[method]()
        trained = uniformly(shape, arguments.space, share) if method == "uniform" else space
        began = time.monotonic()
        search = fitted(trained, data, recipe_of(arguments), arguments, decisions)
    model = search.derive()
    seconds = time.monotonic() - began
    logits = model.predict(data["x_test"], batch_size=500, verbose=0)
    whole = with_random_weights(network(space, largest(space, table)))
    own, most = (timing.ms for timing in milliseconds_of([model, whole], runtime="litert"))
    found = {"data": data_name, "method": method, "share": share, "seed": arguments.seed, "epochs": arguments.epochs}
    found |= {"accuracy": float((logits.argmax(axis=1) == data["y_test"].ravel()).mean()), "ms": own, "largest": most}
    found |= {"draw": arguments.draws[0]} if method == "drawn" else {}
    found |= {"parameters": parameters(model), "multiply_adds": multiply_adds(model), "seconds": seconds}
    return found | {"decisions": {name: list(kept) for name, kept in decisions.items()}}


def step(data_name: str, share: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step and peak memory: of the search if the share is 0, of the largest network if it is 1."""
    data = arrays(data_name, arguments.space)
    data = {key: data[key][: BATCH * 20] for key in ("x_train", "y_train")}
    space = space_of(data["x_train"].shape[1:], arguments.space)
    keras.utils.set_random_seed(arguments.seed)
    times: list[float] = []
    recipe = keras_dha.recipes.single_path(max_multiply_adds=0.5)
    model: Any
    if share:
        model = network(space, largest(space))
        model.compile(recipe.optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    else:
        model = keras_dha.SearchModel(space, recipe, seed=arguments.seed)
        model.compile()
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.monotonic()))
    epochs = 6  # of which the search has the first half, and without thresholds the first fifth
    model.fit(data["x_train"], data["y_train"], batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[callback])
    each = np.diff(times)[25:55]
    found = {"data": data_name, "method": "step", "share": share, "seed": arguments.seed}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | {"step": float(np.median(each)), "peak_mib": peak}


def table_of(lines: list[dict[str, Any]]) -> str:
    """Means over seeds, as Markdown."""
    rows = [
        "| data | method | asked | measured latency, to the largest's | multiply-adds | mean test accuracy | runs |"
    ]
    rows.append("|---" * 7 + "|")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["data"], line["method"], -line["share"]), []).append(line)
    for (data, method, share), mine in sorted(groups.items()):
        mean = statistics.mean(line["accuracy"] for line in mine)
        each = ", ".join(f"{line['accuracy']:.4f}" for line in mine)
        parts = ", ".join(f"{line['ms'] / line['largest']:.3f}" for line in mine)
        costs = statistics.mean(line["multiply_adds"] for line in mine) / 1e6
        rows.append(f"| {data} | {method} | {-share:g} | {parts} | {costs:.2f} M | {mean:.4f} | {each} |")
    return "\n".join(rows)


def table_of_draws(lines: list[dict[str, Any]]) -> str:
    """Components of variance, in points: how much random networks of one latency differ, and seeds of one network."""
    found = []
    for data, share in sorted({(line["data"], line["share"]) for line in lines}):
        mine = [line for line in lines if (line["data"], line["share"]) == (data, share)]
        draws = sorted({line["draw"] for line in mine})
        groups = [[100.0 * line["accuracy"] for line in mine if line["draw"] == draw] for draw in draws]
        means, size = [statistics.mean(group) for group in groups], min(map(len, groups))
        text = f"{data} {share:g}: means " + ", ".join(f"{mean:.2f}" for mean in means)
        if len(means) > 1:
            between = statistics.variance(means)
            within = statistics.mean(map(statistics.variance, groups)) if size > 1 else 0.0
            own = max(0.0, between - within / size) ** 0.5
            text += f"; deviation of networks {own:.2f}, " + (
                f"of seeds {within**0.5:.2f}" if size > 1 else "with seeds"
            )
        found.append(text)
    return "\n".join(found)


def table_of_steps(lines: list[dict[str, Any]]) -> str:
    """Ratios of the search to the largest network, of medians."""
    found = []
    for key in ("step", "peak_mib"):
        own, whole = (statistics.median(x[key] for x in lines if x["share"] == share) for share in (0.0, 1.0))
        found.append(f"{key}: search {own:.4g}, largest {whole:.4g}, ratio {own / whole:.3f}")
    return "\n".join(found)


def main() -> None:
    """Runs what was asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["fashion_mnist"], choices=list(DATA))
    parser.add_argument("--space", choices=list(SPACES), default="small")
    parser.add_argument("--methods", nargs="+", default=list(METHODS[:4]), choices=METHODS)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.4, 0.6, 0.8], help="of the largest's latency")
    parser.add_argument("--weights", nargs="+", type=float, default=[0.003, 0.01, 0.03, 0.1, 0.3])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--draws", nargs="+", type=int, default=[0], help="random networks of the method drawn")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--latency", nargs="+", help="tables of milliseconds, one for each of --data")
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--hold-out", action="store_true", help="a fifth of the training part is the test")
    parser.add_argument("--augment", action="store_true", help="pictures are mirrored and shifted at random; own --out")
    parser.add_argument("--search-fraction", type=float, default=None, help="of the epochs; default: the recipe's")
    parser.add_argument("--keep-rate", type=float, default=None, help="of parts at the start; default: the recipe's")
    parser.add_argument("--out", default="latency_targets.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    arguments = parser.parse_args()
    latency = arguments.latency or [f"latency_{data}_{arguments.space}.json" for data in arguments.data]
    if arguments.table:
        lines = lines_of(arguments.table)
        kinds = {name: [line for line in lines if line["method"] == name] for name in ("drawn", "step")}
        print(table_of([line for line in lines if line["method"] not in kinds]))
        print(table_of_draws(kinds["drawn"]) if kinds["drawn"] else "")
        print(table_of_steps(kinds["step"]) if kinds["step"] else "")
    elif arguments.here:
        use_one_core()
        arguments.seed = arguments.seeds[0]
        data, method, share = arguments.data[0], arguments.methods[0], arguments.shares[0]
        found = step(data, share, arguments) if method == "step" else run(data, method, share, arguments)
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)
    else:
        measure(arguments.data, arguments.space, latency)
        run_on_cores(commands(arguments, dict(zip(arguments.data, latency))), arguments.cores)


def measure(names: list[str], space: str, paths: list[str]) -> None:
    """Tables that are not there yet."""
    for name, path in zip(names, paths):
        if not Path(path).exists():
            shape = arrays(name, space)["x_train"].shape[1:]
            LatencyTable.measure(space_of(shape, space), progress=lambda text: print(text, flush=True)).save(path)


def commands(arguments: argparse.Namespace, latency: dict[str, str]) -> list[list[str]]:
    """Those of the runs that are not in the file yet."""
    own = {"largest": [1.0], "weight": arguments.weights, "step": [0.0, 1.0]}
    runs = [
        (data, method, share, seed, draw)
        for data in arguments.data
        for seed in arguments.seeds
        for method in arguments.methods
        for share in own.get(method, arguments.shares)
        for draw in (arguments.draws if method == "drawn" else [None])
    ]
    keys = ("data", "method", "share", "seed", "draw")
    there = {tuple(line.get(key) for key in keys) for line in lines_of(arguments.out)}
    always = [sys.executable, __file__, "--here", f"--space={arguments.space}"]
    always += [f"--epochs={arguments.epochs}", f"--out={arguments.out}"]
    always += ["--hold-out"] if arguments.hold_out else []
    always += ["--augment"] if arguments.augment else []
    always += [f"--search-fraction={arguments.search_fraction}"] if arguments.search_fraction else []
    always += [f"--keep-rate={arguments.keep_rate}"] if arguments.keep_rate else []
    names = ("data", "methods", "shares", "seeds", "draws")
    return [
        [*always, f"--latency={latency[run[0]]}", *(f"--{name}={value or 0}" for name, value in zip(names, run))]
        for run in runs
        if run not in there
    ]


if __name__ == "__main__":
    main()
