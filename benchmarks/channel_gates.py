"""Half the multiply-adds by gates that learn, beside smaller networks that were found otherwise, at equal epochs.

    python benchmarks/channel_gates.py --data fashion_mnist cifar10 --networks vgg resnet mobilenet --out gates.jsonl
    python benchmarks/channel_gates.py --table gates.jsonl
    python benchmarks/channel_gates.py --picture gates.jsonl --to gates.png

Small networks with batch normalization: VGG-style, ResNet-20 and MobileNetV2, narrow ones. All methods have the same
epochs in all, the same optimizer, and a learning rate that is annealed in the last six tenths:

- `whole`: the network as it is.
- `gates`: the recipe `dnal` with a bound: three tenths of the epochs on weights, one tenth on gates, six tenths on what
  is left.
- `magnitude`: after three tenths of the epochs, filters of least L1 norm go, the same share of each width; the epochs
  that the gates have go to what is left.
- `narrow`: the same share of each width is left out from the beginning.
- `along`, if asked for: `gates`, but the weights move on while the gates do, `dnal(decoupled=False)`.
- `repeated`, if asked for: `whole` by `fit` of arrays, whose epochs have the same batches in the same order once
  `keras.utils.set_random_seed` was called. All others are shuffled anew in each epoch.

Runs have one thread, on a core each.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from cores import run_on_cores, use_one_core
from reference_data import load

import keras_dha
from keras_dha.costs import SpaceCost, multiply_adds, parameters
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Decisions, GatedSpace

METHODS = ("whole", "gates", "magnitude", "narrow", "repeated", "along")
DATA = {"fashion_mnist": "fashion_mnist_small", "cifar10": "cifar10_12k"}
FIRST, SETTLES = 0.3, 0.4  # of the fit: when the first stage ends, when the rate begins to fall
RATE, BATCH = 0.05, 64
Layer = Callable[[Any], Any]


def convolution(x: Any, width: int, size: int = 3, *, strides: int = 1, activation: str | None = "relu") -> Any:
    """Convolution, normalization, activation."""
    x = keras.layers.Conv2D(width, size, strides=strides, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.Activation(activation)(x) if activation else x


def vgg(x: Any) -> Any:
    """Six convolutions."""
    for i, width in enumerate((16, 32, 64)):
        x = convolution(convolution(x, width), width)
        x = keras.layers.MaxPooling2D()(x) if i < 2 else x
    return x


def resnet(x: Any) -> Any:
    """ResNet-20, half as wide as usual."""
    x = convolution(x, 8)
    for width in (8, 16, 32):
        for block in range(3):
            strides = 2 if block == 0 and width > 8 else 1
            y = convolution(convolution(x, width, strides=strides), width, activation=None)
            if x.shape[-1] != width:
                x = convolution(x, width, 1, strides=strides, activation=None)
            x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    return x


def mobilenet(x: Any) -> Any:
    """Seven inverted residuals."""
    x = convolution(x, 16)
    for width, strides in ((12, 1), (16, 2), (16, 1), (24, 2), (24, 1), (32, 1), (32, 1)):
        y = convolution(x, 4 * x.shape[-1], 1, activation="relu6")
        y = keras.layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
        y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(y))
        y = convolution(y, width, 1, activation=None)
        x = keras.layers.Add()([x, y]) if x.shape == y.shape else y
    return convolution(x, 96, 1)


NETWORKS: dict[str, Layer] = {"vgg": vgg, "resnet": resnet, "mobilenet": mobilenet}


def network(name: str, data: dict[str, np.ndarray]) -> keras.Model:
    """From bytes to logits."""
    inputs = keras.Input(data["x_train"].shape[1:])
    mean, std = data["x_train"].mean(), data["x_train"].std()
    x = NETWORKS[name](keras.layers.Rescaling(1.0 / std, -mean / std)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(int(data["y_train"].max()) + 1)(x), name=name)


@keras.saving.register_keras_serializable()
class Annealed(keras.optimizers.schedules.LearningRateSchedule):
    """A constant rate, then a cosine to 0; of the steps from `first` to `last` of a training."""

    def __init__(self, first: int, settles: int, last: int) -> None:
        super().__init__()
        self.first, self.settles, self.last = first, settles, last

    def __call__(self, step: Any) -> Any:
        """The rate."""
        step = keras.ops.cast(step, "float32") + self.first
        done = keras.ops.clip((step - self.settles) / max(self.last - self.settles, 1), 0.0, 1.0)
        return RATE * 0.5 * (1.0 + keras.ops.cos(math.pi * done))


def optimizer(rate: Any = RATE) -> keras.optimizers.Optimizer:
    """Of the weights."""
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)


def train(
    model: keras.Model, data: dict[str, np.ndarray], epochs: tuple[int, int], total: int, seed: int | None
) -> None:
    """Epochs from one to another of a training of so many; without a seed their orders are as Keras has them."""
    steps = math.ceil(len(data["y_train"]) / BATCH)
    rate = Annealed(epochs[0] * steps, round(SETTLES * total * steps), total * steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(rate), loss, metrics=["accuracy"])
    x, y, number = data["x_train"], data["y_train"], epochs[1] - epochs[0]
    if seed is None:
        model.fit(x, y, batch_size=BATCH, epochs=number, verbose=0)
    else:
        rows = keras_dha.data.reshuffled(x, y, batch_size=BATCH, seed=seed + epochs[0])
        model.fit(rows, epochs=number, shuffle=False, verbose=0)


def thinned(space: GatedSpace, model: keras.Model, share: float) -> keras.Model:
    """The model with the same part of each width, of filters of largest L1 norm, at most so much of the cost."""
    cost = SpaceCost(space)
    norms = {}
    for choice, width in zip(space.choices(), space.channel_graph(model).widths()):
        kernels = [layer.get_weights()[0] for layer in map(model.get_layer, width.layers) if layer.weights]
        wide = [np.abs(k).sum(axis=tuple(range(k.ndim - 1))) for k in kernels if k.shape[-1] == len(width.numbers)]
        norms[choice.name] = sum(wide)
    low, high = 0.0, 1.0
    for _ in range(30):
        part = 0.5 * (low + high)
        counts = {name: max(1, round(part * len(values))) for name, values in norms.items()}
        low, high = (part, high) if cost.of(_largest(norms, counts)) <= share * cost.most else (low, part)
    counts = {name: max(1, round(low * len(values))) for name, values in norms.items()}
    for name in sorted(norms, key=lambda name: counts[name] - low * len(norms[name])):  # what rounding has left over
        more = {**counts, name: min(counts[name] + 1, len(norms[name]))}
        counts = more if cost.of(_largest(norms, more)) <= share * cost.most else counts
    return space.without_closed(space.build(FixedChooser(_largest(norms, counts))))


def _largest(norms: dict[str, np.ndarray], counts: dict[str, int]) -> Decisions:
    kept = {name: np.argsort(-values)[: counts[name]] for name, values in norms.items()}
    return Decisions({name: [str(i) for i in np.sort(order)] for name, order in kept.items()})


def gates(
    model: keras.Model, data: dict[str, np.ndarray], share: float, arguments: argparse.Namespace, *, along: bool
) -> keras.Model:
    """The recipe with a bound; its weights rest while the gates move, or move along."""
    recipe = keras_dha.recipes.dnal(max_multiply_adds=share, decoupled=not along)
    search = keras_dha.SearchModel(GatedSpace(model), recipe, seed=arguments.seed)
    search.compile(optimizer(), architecture_optimizer=keras.optimizers.SGD(arguments.gate_rate, momentum=0.9))
    search.fit(data["x_train"], data["y_train"], batch_size=BATCH, epochs=arguments.epochs, verbose=0)
    return search.derive()


def run(data_name: str, name: str, method: str, share: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """One method, and what it is worth on the test part, or on a fifth of the training part."""
    data = load(DATA[data_name])
    if arguments.validate:
        order = np.random.default_rng(0).permutation(len(data["y_train"]))
        held_out, kept = np.split(order, [len(order) // 5])
        x, y = data["x_train"], data["y_train"]
        data = {"x_train": x[kept], "y_train": y[kept], "x_test": x[held_out], "y_test": y[held_out]}
    keras.utils.set_random_seed(arguments.seed)
    began, epochs = time.monotonic(), arguments.epochs
    model = network(name, data)
    most = multiply_adds(model)
    if method in ("gates", "along"):
        model = gates(model, data, share, arguments, along=method == "along")
    else:
        first = round(FIRST * epochs)
        if method == "magnitude":
            train(model, data, (0, first), epochs, arguments.seed)
        if method in ("magnitude", "narrow"):
            model = thinned(GatedSpace(model), model, share)
        seed = None if method == "repeated" else arguments.seed
        train(model, data, (first if method == "magnitude" else 0, epochs), epochs, seed)
    seconds = time.monotonic() - began
    accuracy = model.evaluate(data["x_test"], data["y_test"], batch_size=500, verbose=0)[1]
    found = {"data": data_name, "network": name, "method": method, "share": share, "seed": arguments.seed}
    found |= {"accuracy": accuracy, "multiply_adds": multiply_adds(model), "most": most}
    return found | {"parameters": parameters(model), "epochs": epochs, "seconds": seconds}


def groups(lines: list[dict[str, Any]]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Lines of all seeds by data, network, method and share."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(tuple(line[key] for key in ("data", "network", "method", "share")), []).append(line)
    return found


def table(lines: list[dict[str, Any]]) -> str:
    """Accuracy and cost of each method, as Markdown."""
    rows = ["| data | network | method | multiply-adds | parameters | mean test accuracy | runs | to the whole |"]
    rows.append("|---" * 8 + "|")
    by_group = groups(lines)
    for (data, name, method, _), mine in sorted(by_group.items(), key=lambda item: (item[0][:2], -item[0][3])):
        mean = statistics.mean(line["accuracy"] for line in mine)
        whole = by_group.get((data, name, "whole", 1.0))
        behind = f"{mean - statistics.mean(line['accuracy'] for line in whole):+.4f}" if whole else ""
        each = ", ".join(f"{line['accuracy']:.4f}" for line in mine)
        part = statistics.mean(line["multiply_adds"] / line["most"] for line in mine)
        count = statistics.mean(line["parameters"] for line in mine)
        rows.append(f"| {data} | {name} | {method} | {part:.3f} | {count:.0f} | {mean:.4f} | {each} | {behind} |")
    return "\n".join(rows)


def picture(lines: list[dict[str, Any]], path: str) -> None:
    """Accuracy over multiply-adds, all points."""
    from matplotlib.figure import Figure

    rows, columns = (list(dict.fromkeys(line[key] for line in lines)) for key in ("data", "network"))
    figure = Figure(figsize=(3.8 * len(columns), 3.2 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for i, data in enumerate(rows):
        for j, name in enumerate(columns):
            axes = grid[i, j]
            for number, (method, marker) in enumerate(zip(METHODS, "osv^xd")):
                mine = [m for m in lines if (m["data"], m["network"], m["method"]) == (data, name, method)]
                if mine:
                    costs = [m["multiply_adds"] / 1e6 for m in mine]
                    values = [m["accuracy"] for m in mine]
                    axes.scatter(costs, values, 42, color=f"C{number}", marker=marker, label=method, alpha=0.7)
            axes.set_title(f"{name} on {data}")
            axes.set_xlim(left=0.0)
            axes.set_xlabel("multiply-adds (millions)")
            axes.set_ylabel("test accuracy")
            axes.legend(fontsize=8, loc="upper left")  # no network is so small
    figure.savefig(path, dpi=150)


def main() -> None:
    """Runs what was asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["fashion_mnist"], choices=list(DATA))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS[:4]), choices=METHODS)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.5], help="of the multiply-adds")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--gate-rate", type=float, default=0.01)
    parser.add_argument("--validate", action="store_true", help="test on a part of the training part")
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="channel_gates.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--picture", metavar="FILE")
    parser.add_argument("--to", default="channel_gates.png")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    arguments = parser.parse_args()
    given = arguments.table or arguments.picture
    if given:
        lines = [json.loads(line) for line in Path(given).read_text().splitlines()]
        print(table(lines))
        if arguments.picture:
            picture(lines, arguments.to)
    elif arguments.here:
        use_one_core()
        arguments.seed = arguments.seeds[0]
        found = run(arguments.data[0], arguments.networks[0], arguments.methods[0], arguments.shares[0], arguments)
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)
    else:
        common = ["--here", f"--epochs={arguments.epochs}", f"--gate-rate={arguments.gate_rate}"]
        common += [f"--out={arguments.out}", *(["--validate"] if arguments.validate else [])]
        runs = [
            (data, name, method, share, seed)
            for seed in arguments.seeds
            for data in arguments.data
            for name in arguments.networks
            for method in arguments.methods
            for share in ([1.0] if method in ("whole", "repeated") else arguments.shares)
        ]
        commands = []
        for data, name, method, share, seed in runs:
            one = ["--data", data, "--networks", name, "--methods", method, f"--shares={share}", f"--seeds={seed}"]
            commands.append([sys.executable, __file__, *common, *one])
        run_on_cores(commands, arguments.cores)


if __name__ == "__main__":
    main()
