"""Image and spoken digits: networks of both drawn at random, of one of them, and a search by gradient.

    python benchmarks/multimodal.py --seeds 0 1 2 --cores 0 --out multimodal.jsonl
    python benchmarks/multimodal.py --table multimodal.jsonl

Data: `av_mnist` of the folder with `load.py` that `KERAS_DHA_DATA` names (default: ../shared/data), a stand-in for
AV-MNIST: 6,000 + 2,000 pairs of a blurred picture of a digit and a noisy spoken one of its class.

`random` draws `--trials` networks from `MultimodalSpace`, uniformly, trains each for `--epochs` epochs, and takes the
one that is best on a held-out fifth of the training pairs, as it was trained, to the test part, which is read once.
`random_image` and `random_audio` do the same in the spaces of one input; `again`, `again_image` and `again_audio` train
what these found anew, with new weights, for `--again` epochs on all training pairs. Recordings come back in several
pairs, so whole recordings are held out, with all their pairs. `search`, and `search_RECIPE`, is one `fit` of a
`SearchModel` in the same space, with as many seconds as `random` and `again` took and the same held-out part, on which
no weights are trained; it searches in the first six tenths of them, for building and tracing the supernet is in them,
too. A trial that raises is counted, and is no candidate. Every run is a process with one thread; seconds are those of
its processor, and `--seconds` gives a search another time.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cores import run_on_cores, use_one_core
from reference_data import loaders

READ = {"random": None, "random_image": [["image"]], "random_audio": [["audio"]]}
SEARCHES = {"search": "dha", "search_gdas": "gdas", "search_darts": "darts"}
AGAIN = {name.replace("random", "again"): name for name in READ}
METHODS = (*READ, *AGAIN, *SEARCHES)
RATE, SEARCH_FRACTION = 2e-3, 0.6
Arrays = dict[str, Any]


def data_of(seed: int) -> Arrays:
    """Arrays of the kept, held-out and test parts, and of all training pairs; no recording is in two parts."""
    raw = loaders().av_mnist()
    rng = np.random.default_rng(seed)
    rows = raw["audio_row_train"]
    recordings = np.unique(rows)
    held_out = np.isin(rows, rng.choice(recordings, len(recordings) // 5, replace=False))
    x = {name: raw[f"{name}_train"][..., None] for name in ("image", "audio")}
    y = raw["y_train"].astype("int32")
    test = {name: raw[f"{name}_test"][..., None] for name in x}

    def part(kept: np.ndarray) -> tuple[Arrays, np.ndarray]:
        return {name: values[kept] for name, values in x.items()}, y[kept]

    parts = {"kept": part(~held_out), "held_out": part(held_out), "all": part(np.ones(len(y), bool))}
    return {**parts, "test": (test, raw["y_test"].astype("int32"))}


def space_of(method: str, channels: int) -> Any:
    """The space that a method draws from."""
    from keras_dha.spaces import MultimodalSpace

    shapes = {"image": (28, 28, 1), "audio": (32, 32, 1)}
    return MultimodalSpace(shapes, 10, channels=channels, combinations=READ.get(AGAIN.get(method, method)))


def train(model: Any, data: tuple[Arrays, np.ndarray], epochs: int, seed: int) -> None:
    """Trains a network as every trial is trained."""
    import keras

    from keras_dha.data import reshuffled

    steps = epochs * -(-len(data[1]) // 64)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    rows = reshuffled(*data, batch_size=64, seed=seed)
    model.fit(rows, epochs=epochs, shuffle=False, verbose=0)


def accuracy_of(model: Any, data: tuple[Arrays, np.ndarray]) -> float:
    """The share of examples that a compiled network gets right."""
    return float(model.evaluate(*data, batch_size=500, verbose=0)[1])


def random_search(build: Callable[[int], Any], data: Arrays, trials: int, epochs: int, seed: int) -> dict[str, Any]:
    """Trials one after the other, the best of them, and what failed.

    Args:
        build: From a trial's number to its network.
        data: See `data_of`.
        trials: How many.
        epochs: Of each.
        seed: Of their weights.
    """
    import keras

    found: list[dict[str, Any]] = []
    best: Any = None
    for number in range(trials):
        keras.utils.set_random_seed(1000 * seed + number)
        began, line = time.monotonic(), {"trial": number}
        try:
            model = build(number)
            train(model, data["kept"], epochs, 1000 * seed + number)
            line |= {"parameters": model.count_params(), "held_out": accuracy_of(model, data["held_out"])}
        except Exception as error:  # whatever a trial dies of is a result
            line |= {"failure": f"{type(error).__name__}: {error}"[:200]}
        else:
            if best is None or line["held_out"] > best[0]:
                best = (line["held_out"], number, model)
        found.append({**line, "seconds": time.monotonic() - began})
    if best is None:
        raise RuntimeError(f"One trial must succeed. Received: {found}.")
    return {"best": best[1], "held_out": best[0], "model": best[2], "trials": found}


def run_random(method: str, data: Arrays, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The random search of a space."""
    from keras_dha.derivation import FixedChooser

    space = space_of(method, arguments.channels)
    drawn = [space.random_decisions(seed=1000 * seed + i) for i in range(arguments.trials)]
    found = random_search(lambda i: space.build(FixedChooser(drawn[i])), data, arguments.trials, arguments.epochs, seed)
    for line, decisions in zip(found["trials"], drawn):
        line["modalities"] = "+".join(space.modalities_of(decisions))
    return {**found, "decisions": {name: kept[0] for name, kept in drawn[found["best"]].items()}}


def run_again(method: str, data: Arrays, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """What a random search found, trained once more."""
    import keras

    from keras_dha.derivation import FixedChooser

    space = space_of(method, arguments.channels)
    decisions = line_of(arguments.out, AGAIN[method], seed)["decisions"]
    keras.utils.set_random_seed(1000 * seed + 999)
    model = space.build(FixedChooser(decisions))
    train(model, data["all"], arguments.again, 1000 * seed + 999)
    return {"model": model, "epochs": arguments.again, "modalities": "+".join(space.modalities_of(decisions))}


def run_search(method: str, data: Arrays, seed: int, seconds: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """One fit of a search model."""
    import keras_dha

    space = space_of(method, arguments.channels)
    recipe = getattr(keras_dha.recipes, SEARCHES[method])()
    schedule = keras_dha.schedules.Schedule(search_fraction=SEARCH_FRACTION, warmup_fraction=0.0)
    model = keras_dha.SearchModel(space, recipe, schedule=schedule, seed=seed)
    given = {"held_out": data["held_out"]} if model.needs_held_out else {}
    history = model.fit(*data["kept"], batch_size=64, epochs=10000, time_budget=seconds, verbose=0, **given).history
    decisions = model.decisions()
    return {
        "model": model.derive(),
        "search_epochs": history["phase"].count(0.0),
        "epochs": len(history["phase"]),
        "modalities": "+".join(space.modalities_of(decisions)),
        "decisions": {name: kept[0] for name, kept in decisions.items()},
        "hyperparameters": model.hyperparameters(),
    }


def run_one(arguments: argparse.Namespace) -> dict[str, Any]:
    """One run in this process."""
    import keras
    import tensorflow as tf

    method, seed = arguments.methods[0], arguments.seeds[0]
    data = data_of(seed)
    began = time.monotonic()
    if method in READ:
        found = run_random(method, data, seed, arguments)
    elif method in AGAIN:
        found = run_again(method, data, seed, arguments)
    else:
        spent = [line_of(arguments.out, name, seed)["seconds"] for name in ("random", "again") if not arguments.seconds]
        seconds = arguments.seconds or sum(spent)
        found = run_search(method, data, seed, seconds, arguments)
    spent = time.monotonic() - began
    model = found.pop("model")
    accuracy = accuracy_of(model, data["test"])
    versions = [platform.python_version(), tf.__version__, keras.__version__]
    sizes = {name: getattr(arguments, name) for name in ("channels", "epochs") if method in READ or name == "channels"}
    common = {
        "method": method,
        "seed": seed,
        "accuracy": accuracy,
        "seconds": spent,
        "parameters": model.count_params(),
    }
    return {**common, **sizes, **found, "versions": versions}


def read_lines(file: str) -> list[dict[str, Any]]:
    """What has been run so far."""
    path = Path(file)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def line_of(file: str, method: str, seed: int) -> dict[str, Any]:
    """A run that another one goes on from."""
    for line in read_lines(file):
        if (line["method"], line["seed"]) == (method, seed):
            return line
    raise SystemExit(f"The run must go on from another one. Received: no {method} of seed {seed} in {file}. Run it.")


def table(lines: list[dict[str, Any]]) -> str:
    """Mean and each run of a method, as Markdown; and by how much two inputs are better than one."""
    rows = [
        "| method | mean test accuracy | each seed | read | trials, failed | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for method in METHODS:
        runs = sorted((line for line in lines if line["method"] == method), key=lambda line: line["seed"])
        if not runs:
            continue
        each = ", ".join(f"{run['accuracy']:.4f}" for run in runs)
        read = ", ".join(run.get("modalities") or run["trials"][run["best"]]["modalities"] for run in runs)
        trials = [trial for run in runs for trial in run.get("trials", [])]
        failed = sum("failure" in trial for trial in trials)
        counts = f"{len(trials)}, {failed}" if trials else "-"
        seconds = statistics.mean(run["seconds"] for run in runs)
        mean = statistics.mean(run["accuracy"] for run in runs)
        rows.append(f"| {method} | {mean:.4f} | {each} | {read} | {counts} | {seconds:.0f} |")
    found = {(line["method"], line["seed"]): line["accuracy"] for line in lines}
    for seed in sorted({line["seed"] for line in lines}):
        for first, others in (("random", ()), ("again", SEARCHES)):
            single = [found[name, seed] for name in (f"{first}_image", f"{first}_audio") if (name, seed) in found]
            gains = {name: found[name, seed] for name in (first, *others) if (name, seed) in found}
            if not single:
                continue
            points = ", ".join(f"{name} {100 * (value - max(single)):+.1f}" for name, value in gains.items())
            rows.append(f"\nSeed {seed}, points above the best {first} one of one input: {points}.")
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for and is not there yet, each run in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=4, help="of a trial")
    parser.add_argument("--again", type=int, default=12, help="epochs of what was found, trained anew")
    parser.add_argument("--seconds", type=float, default=0.0, help="of a search; 0: what the random one took")
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--cores", nargs="+", type=int, default=[0])
    parser.add_argument("--out", default="multimodal.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(read_lines(arguments.table)))
        return
    if arguments.here:
        use_one_core()
        result = json.dumps(run_one(arguments))
        with Path(arguments.out).open("a") as file:
            file.write(result + "\n")
        print(result, flush=True)
        return
    sizes = [f"--{name}={getattr(arguments, name)}" for name in ("trials", "epochs", "again", "seconds", "channels")]
    common = [sys.executable, __file__, "--here", "--out", arguments.out, *sizes]
    done = {(line["method"], line["seed"]) for line in read_lines(arguments.out)}
    for seed in arguments.seeds:
        for kind in (READ, AGAIN, SEARCHES):  # each kind goes on from those before it
            methods = [name for name in arguments.methods if name in kind and (name, seed) not in done]
            runs = [[*common, "--methods", name, "--seeds", str(seed)] for name in methods]
            run_on_cores(runs, arguments.cores)


if __name__ == "__main__":
    main()
