"""Test accuracy after an equal wall time: the joint search, each part switched off, and a fixed network.

    python benchmarks/equal_time.py --data fashion_mnist_small --seconds 300 --seeds 0 1 2 --out equal_time.jsonl
    python benchmarks/equal_time.py --table equal_time.jsonl

Every run is a process of its own and has `--seconds` of wall time for everything in `fit`: tracing, search, settling.
The fixed network is the NAS-Bench-201 cell with a 3x3 convolution on every edge, trained by plain Keras with random
flip and crop (black outside of the picture; `fixed_reflect`: mirrored, as the searches crop), SGD with momentum 0.9,
learning rate 0.05 with cosine decay over the time, weight decay 5e-4. The configurations of a seed take turns of five
seconds, in which the others stand still with their clocks, so that a slow spell of the machine hits all. The test part
is read once, at the end.

Data: a folder with `load.py` and its `.npz` files, named by `KERAS_DHA_DATA` (default: ../shared/data).
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from reference_data import load
from turns import run_in_turns, use_own_clock

CONFIGURATIONS = ("dha", "no_augmentation", "no_hyperparameters", "no_architecture", "fixed", "fixed_reflect")
ALL_3X3 = {f"edge_{j}_from_{i}": "nor_conv_3x3" for j in (1, 2, 3) for i in range(j)}


def space_for(data: dict[str, np.ndarray], channels: int) -> Any:
    """The small NAS-Bench-201 space: one cell a stage."""
    import keras_dha

    return keras_dha.spaces.NASBench201Space(data["x_train"].shape[1:], 10, channels=channels, cells_per_stage=1)


def run_fixed(
    name: str, data: dict[str, np.ndarray], seed: int, seconds: float, batch_size: int, channels: int
) -> dict[str, Any]:
    """Plain Keras: the all-3x3 cell, flip and crop, cosine decay over the time."""
    import keras
    import tensorflow as tf

    import keras_dha
    from keras_dha.augmentation import Crop, HorizontalFlip
    from keras_dha.derivation import FixedChooser

    keras.utils.set_random_seed(seed)
    network = space_for(data, channels).build(FixedChooser(keras_dha.Decisions(ALL_3X3)))
    x = data["x_train"].astype("float32") / 255.0
    mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
    inputs = keras.Input(x.shape[1:])
    standardized = keras.layers.Rescaling((1.0 / std).tolist(), (-mean / std).tolist())(inputs)
    model = keras.Model(inputs, network(standardized))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=5e-4), loss, metrics=["accuracy"])
    crop = Crop(mode="reflect" if name == "fixed_reflect" else "constant")
    flip, generator = HorizontalFlip(), keras.random.SeedGenerator(seed)
    dataset = tf.data.Dataset.from_tensor_slices((x, data["y_train"])).shuffle(len(x), seed=seed)
    dataset = dataset.batch(batch_size, drop_remainder=True).map(lambda i, y: (flip(crop(i, generator), generator), y))
    options = tf.data.Options()
    options.autotune.enabled = False  # as in keras_dha: an iterator may wait for the tuner's thread when an epoch ends
    dataset = dataset.with_options(options)
    started = time.monotonic()

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            done = min((time.monotonic() - started) / seconds, 1.0)
            self.model.optimizer.learning_rate.assign(0.025 * (1.0 + math.cos(math.pi * done)))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = time.monotonic() - started >= seconds

    history = model.fit(dataset.prefetch(2), epochs=100000, callbacks=[Clock()], verbose=0)
    wall = time.monotonic() - started
    accuracy = model.evaluate(data["x_test"].astype("float32") / 255.0, data["y_test"], verbose=0)[1]
    return {
        "accuracy": accuracy,
        "wall": wall,
        "epochs": len(history.history["loss"]),
        "parameters": model.count_params(),
    }


def run_search(
    name: str, data: dict[str, np.ndarray], seed: int, seconds: float, batch_size: int, channels: int
) -> dict[str, Any]:
    """The joint search, or what is left of it with one part switched off."""
    import keras_dha
    from keras_dha.augmentation import Crop, HorizontalFlip

    off: dict[str, Any] = {
        "no_augmentation": {"augmentation": None},
        "no_hyperparameters": {"hyperparameters": None},
        "no_architecture": {"decisions": ALL_3X3},
    }.get(name, {})
    recipe = keras_dha.recipes.dha(base=(Crop(), HorizontalFlip()))
    model = keras_dha.SearchModel(space_for(data, channels), recipe, seed=seed, **off)
    started = time.monotonic()
    history = model.fit(
        data["x_train"], data["y_train"], batch_size=batch_size, epochs=100000, time_budget=seconds, verbose=0
    )
    wall = time.monotonic() - started
    final = model.derive()
    phases = history.history["phase"]
    return {
        "accuracy": final.evaluate(data["x_test"], data["y_test"], verbose=0)[1],
        "wall": wall,
        "epochs": len(phases),
        "search_epochs": phases.index(1.0) if 1.0 in phases else len(phases),
        "parameters": final.count_params(),
        "decisions": {choice: kept[0] for choice, kept in model.decisions().items()},
        "hyperparameters": model.hyperparameters(),
        "train_accuracy": history.history["accuracy"][-1],
    }


def run_one(arguments: argparse.Namespace) -> dict[str, Any]:
    """One run in this process."""
    import keras
    import tensorflow as tf

    data = load(arguments.data)
    sizes = (arguments.seeds[0], arguments.seconds, arguments.batch_size, arguments.channels)
    name = arguments.configurations[0]
    result = (run_fixed if name.startswith("fixed") else run_search)(name, data, *sizes)
    return {
        "data": arguments.data,
        "configuration": name,
        "seed": arguments.seeds[0],
        "seconds": arguments.seconds,
        "batch_size": arguments.batch_size,
        "channels": arguments.channels,
        **result,
        "versions": [platform.python_version(), tf.__version__, keras.__version__],
    }


def table(lines: list[dict[str, Any]]) -> str:
    """Mean, spread and runs by data set and configuration, as Markdown."""
    rows = ["| data | configuration | mean | lowest | highest | runs | epochs |", "|---|---|---|---|---|---|---|"]
    for data in sorted({line["data"] for line in lines}):
        for name in CONFIGURATIONS:
            runs = [line for line in lines if (line["data"], line["configuration"]) == (data, name)]
            if runs:
                values = [run["accuracy"] for run in runs]
                epochs = round(statistics.mean(run["epochs"] for run in runs))
                numbers = " | ".join(f"{f(values):.4f}" for f in (statistics.mean, min, max))
                rows.append(f"| {data} | {name} | {numbers} | {len(runs)} | {epochs} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for, each run in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion_mnist_small", choices=("fashion_mnist_small", "cifar10_12k"))
    parser.add_argument("--configurations", nargs="+", default=CONFIGURATIONS, choices=CONFIGURATIONS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--out", default="equal_time.jsonl")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    parser.add_argument("--table", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
        return
    if arguments.here:
        use_own_clock()
        result = json.dumps(run_one(arguments))
        with Path(arguments.out).open("a") as file:
            file.write(result + "\n")
        print(result)
        return
    sizes = [f"--{key.replace('_', '-')}={getattr(arguments, key)}" for key in ("seconds", "batch_size", "channels")]
    common = ["--here", "--data", arguments.data, "--out", arguments.out, *sizes]
    for seed in arguments.seeds:
        run_in_turns(
            [
                [sys.executable, __file__, "--configurations", name, "--seeds", str(seed), *common]
                for name in arguments.configurations
            ]
        )


if __name__ == "__main__":
    main()
