"""How the wiring of a minimal cell evolves on digits: width before depth (P2), collapse (P3), and their controls.

    python benchmarks/wiring_patterns.py --seeds 0 1 2

One cell of two inputs and two nodes, five edges, each of none, skip, avg, c3, c5; the output is both nodes. The
architecture learns by drawn options and their credit (the estimator of DSNAS), from held-out examples (`two levels`),
or from the examples that the weights learn from (`one level`, the same number of examples, noise and steps).

| pattern | training examples | wrong labels | steps | rate of the architecture |
|---|---|---|---|---|
| P2 | 100 | 30 % | 1,500 | 0.01 |
| P3 | 50 | 50 % | 1,000 | 0.02 |
| clean | 1,000 | none | 1,500 | 0.01 |

Printed, a line a run: the step at which P(none) of each edge first exceeds 0.8, P(none) at the end, and the largest
held-out `L - H`. Patterns: Xie et al., https://arxiv.org/abs/2009.01272.
"""

import argparse
import json
from typing import Any

import keras
import numpy as np

import keras_dha
from keras_dha.relaxations import OneHotSample
from keras_dha.schedules import Schedule

OPTIONS = {"none": 0, "skip": 0, "avg": 0, "c3": 3, "c5": 5}
PATTERNS = {
    "P2": {"examples": 100, "noise": 0.3, "steps": 1500, "rate": 0.01},
    "P3": {"examples": 50, "noise": 0.5, "steps": 1000, "rate": 0.02},
    "clean": {"examples": 1000, "noise": 0.0, "steps": 1500, "rate": 0.01},
}
BATCH_SIZE = 50


@keras.saving.register_keras_serializable(package="benchmarks")
class MinimalCell(keras_dha.SearchSpace):
    """Two inputs, two nodes, five edges."""

    def build(self, choose: Any) -> keras.Model:
        """From pictures to logits."""
        inputs = keras.Input(self.input_shape)
        stem = conv_bn(3)(inputs)
        states = [conv_bn(1)(stem), conv_bn(1)(stem)]
        options = {name: (lambda name=name: operation(name)) for name in OPTIONS}
        for node in (2, 3):
            edges = [choose.op(f"edge_{node}_from_{source}", options)(states[source]) for source in range(node)]
            states.append(keras.layers.Add()(edges))
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Concatenate()(states[2:]))
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


def conv_bn(size: int) -> keras.layers.Layer:
    """Convolution and normalization, 16 channels."""
    convolution = keras.layers.Conv2D(16, size, padding="same", use_bias=False)
    return keras.Sequential([convolution, keras.layers.BatchNormalization(momentum=0.9)])


def operation(name: str) -> keras.layers.Layer:
    """One of the five."""
    if OPTIONS[name]:
        return keras.Sequential([keras.layers.ReLU(), conv_bn(OPTIONS[name])])
    kinds = {"none": keras.layers.Rescaling(0.0), "skip": keras.layers.Identity()}
    return kinds.get(name) or keras.layers.AveragePooling2D(3, 1, padding="same")


def examples(seed: int, number: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As many to train on as to hold out, with wrong labels in both."""
    from sklearn.datasets import load_digits

    rng, digits = np.random.default_rng(seed), load_digits()
    chosen = rng.permutation(len(digits.target))[: 2 * min(number, len(digits.target) // 2)]
    x, y = digits.images[chosen].astype("float32")[..., None] / 16.0, digits.target[chosen].copy()
    wrong = rng.random(len(y)) < noise
    y[wrong] = rng.integers(0, 10, wrong.sum())
    half = len(y) // 2
    return x[:half], y[:half], x[half:], y[half:]


class Watch(keras.callbacks.Callback):
    """P(none) after each epoch, and now and then the held-out `L - H`."""

    def __init__(self, x: np.ndarray, y: np.ndarray, steps_per_epoch: int) -> None:
        super().__init__()
        self.x, self.y, self.steps_per_epoch = x, y, steps_per_epoch
        self.first: dict[str, int] = {}
        self.gaps: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measures."""
        if self.model.settled:
            return
        self.last = {edge: float(p["none"]) for edge, p in self.model.probabilities().items()}
        for edge, value in self.last.items():
            if value > 0.8:
                self.first.setdefault(edge, (epoch + 1) * self.steps_per_epoch)
        if epoch % max(1, 50 // self.steps_per_epoch) == 0:
            _, logits = self.model.option_costs(self.x, self.y)
            log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
            entropy = -(np.exp(log_p) * log_p).sum(1)
            self.gaps.append(float((-log_p[np.arange(len(self.y)), self.y] - entropy).mean()))


def run(pattern: str, seed: int, levels: str) -> dict[str, Any]:
    """One search."""
    sizes = PATTERNS[pattern]
    x, y, held_x, held_y = examples(seed, int(sizes["examples"]), sizes["noise"])
    recipe = keras_dha.recipes.dsnas().replace(
        relaxation=OneHotSample(estimator="credit"),
        schedule=Schedule(search_fraction=1.0, warmup_fraction=0.0),
        architecture_loss="held_out" if levels == "two levels" else "training",
    )
    model = keras_dha.SearchModel(MinimalCell((8, 8, 1), 10), recipe, seed=seed)
    model.compile(
        keras.optimizers.SGD(0.025, momentum=0.9, weight_decay=3e-4),
        architecture_optimizer=keras.optimizers.Adam(sizes["rate"], beta_1=0.5),
    )
    steps_per_epoch = len(x) // BATCH_SIZE
    watch = Watch(held_x, held_y, steps_per_epoch)
    model.fit(
        x,
        y,
        held_out=(held_x, held_y),
        batch_size=BATCH_SIZE,
        epochs=int(sizes["steps"]) // steps_per_epoch,
        callbacks=[watch],
        verbose=0,
    )
    return {
        "pattern": pattern,
        "levels": levels,
        "seed": seed,
        "first_above_0.8": watch.first,
        "none_at_the_end": {edge: round(value, 3) for edge, value in watch.last.items()},
        "largest_gap": round(max(watch.gaps), 4),
    }


def main() -> None:
    """Prints a line a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patterns", nargs="+", default=["P2", "P3", "clean"], choices=PATTERNS)
    parser.add_argument("--levels", nargs="+", default=["two levels", "one level"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    for pattern in arguments.patterns:
        for levels in arguments.levels:
            for seed in arguments.seeds:
                print(json.dumps(run(pattern, seed, levels)), flush=True)


if __name__ == "__main__":
    main()
