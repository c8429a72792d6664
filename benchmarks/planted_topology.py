"""Whether a search finds the inputs that a teacher reads.

    python benchmarks/planted_topology.py --seeds 0 1 2 3 4

A teacher node reads two of three inputs, each through an operation of its own; a linear layer makes classes of their
sum. The student has a node over the three inputs with the same operations, and learns from the teacher's labels.
`toponas` has variables for sets of inputs; `darts` takes the inputs with the most decided operation.
"""

import argparse
import json
import statistics
from typing import Any

import keras
import numpy as np

import keras_dha

TEACHER = {0: "tanh", 2: "square"}
OPERATIONS = ("none", "linear", "tanh", "square")
WIDTH = 6


@keras.saving.register_keras_serializable(package="benchmarks")
class NodeSpace(keras_dha.SearchSpace):
    """One node over three inputs."""

    def build(self, choose: Any) -> keras.Model:
        """From the three inputs, side by side, to logits."""
        inputs = keras.Input((3, WIDTH))
        parts = [keras.layers.Cropping1D((i, 2 - i))(inputs) for i in range(3)]
        states = [keras.layers.Flatten()(part) for part in parts]
        options = {name: lambda _, name=name: operation(name) for name in OPERATIONS}
        node = choose.node("node", options, keep=2, excluded=("none",))(states)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(node))


def operation(name: str) -> keras.layers.Layer:
    """A dense layer with this activation; `none` gives 0."""
    if name == "none":
        return keras.layers.Rescaling(0.0)
    activation = {"linear": None, "tanh": "tanh", "square": keras.ops.square}[name]
    return keras.layers.Dense(WIDTH, activation=activation)


def taught(seed: int, examples: int = 4000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and the teacher's classes, which are about equally frequent."""
    rng = np.random.default_rng([seed, 7])
    x = rng.normal(size=(examples, 3, WIDTH)).astype("float32")
    node = np.tanh(1.5 * x[:, 0] @ rng.normal(size=(WIDTH, WIDTH)))
    node = node + 0.5 * np.square(x[:, 2] @ rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5)
    logits = node @ rng.normal(size=(WIDTH, classes))
    logits = (logits - logits.mean(0)) / logits.std(0)
    return x, logits.argmax(1)


def found(name: str, seed: int, epochs: int) -> dict[str, Any]:
    """What the search keeps."""
    x, y = taught(seed)
    recipe = keras_dha.recipes.RECIPES[name]()
    model = keras_dha.SearchModel(NodeSpace((3, WIDTH), 4), recipe, seed=seed)
    model.compile(keras.optimizers.Adam(3e-3), architecture_optimizer=keras.optimizers.Adam(1e-2))
    history = model.fit(x, y, batch_size=64, epochs=epochs, held_out=0.5, verbose=0).history
    kept = [option.split("/") for option in model.decisions()["node"]]
    return {
        "recipe": name,
        "seed": seed,
        "kept": {int(source): operation for source, operation in kept},
        "accuracy": history["accuracy"][-1],
    }


def main() -> None:
    """Prints a line a run, and how often the pair was right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--recipes", nargs="+", default=["toponas", "darts"])
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    for name in arguments.recipes:
        runs = [found(name, seed, arguments.epochs) for seed in arguments.seeds]
        for run in runs:
            print(json.dumps(run))
        right = sum(set(run["kept"]) == set(TEACHER) for run in runs)
        exact = sum(run["kept"] == TEACHER for run in runs)
        accuracy = statistics.mean(run["accuracy"] for run in runs)
        print(f"{name}: inputs right in {right} of {len(runs)}, operations too in {exact}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
