"""Tasks of which it is known what a policy that learns from held-out examples should find.

    python benchmarks/planted_policies.py --seeds 0 1 2 3 4

scikit-learn's digits in the middle of 16x16 pixels; a small Keras network; operations of equal rank at the start, among
them the planted ones:

- `upside_down`: sixes and nines only. Turning by up to 180 degrees destroys what they mean: it should end below the
  median.
- `shifted`: held-out and test digits are shifted by up to 4 pixels, training ones are not: a translation should end on
  top.
- `brightness`: the label is how bright a picture is. Brightness and the negative should end below the median.

Each line: how often images get an operation, most frequent first, and the test accuracy with and without the policy
(`--policy`). The test part decides nothing.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_dha
from keras_dha.augmentation import AugmentationPolicy, DADAPolicy, PairPolicy, RelaxedPolicy, Rotate, register_transform

RATE = 0.02
OPERATIONS = ("Identity", "Turn", "TranslateXRel", "TranslateYRel", "Brightness", "Invert", "Contrast", "Sharpness")
PLANTED = {
    "upside_down": ("Turn",),
    "shifted": ("TranslateXRel", "TranslateYRel"),
    "brightness": ("Brightness", "Invert"),
}


@register_transform
class Turn(Rotate):
    """Turns by up to 180 degrees."""

    limit = math.pi


def task(name: str, seed: int) -> tuple[Any, Any, Any, int]:
    """Training, held-out and test part, each images in [0, 1] and labels; and the number of classes."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x = np.pad(x.reshape(-1, 8, 8, 1) / 16.0, ((0, 0), (4, 4), (4, 4), (0, 0))).astype("float32")
    if name == "upside_down":
        chosen = np.isin(y, (6, 9))
        x, y = x[chosen], (y[chosen] == 9).astype("int64")
    elif name == "brightness":
        y = rng.integers(0, 3, len(y))
        x = (0.15 + 0.3 * y[:, None, None, None] + 0.1 * x).astype("float32")  # a negative looks like another class
    order = rng.permutation(len(x))
    parts = [(x[part], y[part]) for part in np.split(order, [len(x) // 2, 3 * len(x) // 4])]
    if name == "shifted":
        parts[1:] = [(shifted(x, rng), y) for x, y in parts[1:]]
    return parts[0], parts[1], parts[2], int(y.max()) + 1


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each by up to 4 pixels down and to the right, either way."""
    return np.stack([np.roll(image, rng.integers(-4, 5, 2), (0, 1)) for image in images])


def network(classes: int) -> keras.Model:
    """Two convolutions, and a dense layer that knows where things are."""
    inputs = x = keras.Input((16, 16, 1))
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))


def policy_of(kind: str) -> AugmentationPolicy:
    """What is searched."""
    if kind in ("relaxed", "dada"):
        return {"relaxed": RelaxedPolicy, "dada": DADAPolicy}[kind](OPERATIONS)
    return PairPolicy(OPERATIONS, direction="held_out", score="log_probability", temperature=None, search_magnitude=8.0)


def shares(policy: AugmentationPolicy) -> np.ndarray:
    """How often an image gets each operation, over how many it may get."""
    learned = policy.policy()
    probabilities = np.asarray(learned["probabilities"])
    if isinstance(policy, RelaxedPolicy):
        return (np.asarray(learned["choices"]) * probabilities).mean(axis=(0, 1))
    if isinstance(policy, DADAPolicy):
        each = np.asarray(learned["choices"])[:, None] * probabilities / 2
        return np.bincount(policy.pairs.ravel(), each.ravel(), len(OPERATIONS))
    return (probabilities.sum(0) + probabilities.sum(1)) / 2


def run(name: str, seed: int, epochs: int, kind: str) -> dict[str, Any]:
    """One search, and the same fit without a policy."""
    train, held_out, test, classes = task(name, seed)
    found: dict[str, Any] = {"task": name, "policy": kind, "seed": seed}
    schedule = keras_dha.schedules.Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)
    for way, policy in (("with", policy_of(kind)), ("without", PairPolicy(("Identity",)))):
        keras.utils.set_random_seed(seed)
        model = keras_dha.SearchModel(network(classes), augmentation=policy, schedule=schedule, seed=seed)
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), augmentation_optimizer=keras.optimizers.Adam(RATE))
        model.fit(*train, batch_size=64, epochs=epochs, held_out=held_out, verbose=0)
        found[f"accuracy_{way}"] = model.evaluate(*test, verbose=0, return_dict=True)["accuracy"]
        if way == "with":
            share = shares(model.augmentation)
            found["shares"] = {OPERATIONS[i]: round(float(share[i]), 4) for i in np.argsort(-share)}
    ranks = {operation: rank for rank, operation in enumerate(found["shares"])}
    planted = [ranks[operation] for operation in PLANTED[name]]
    half = len(OPERATIONS) / 2
    found["as_planted"] = min(planted) == 0 if name == "shifted" else min(planted) >= half
    return found


def main() -> None:
    """Runs tasks and seeds, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(PLANTED), choices=list(PLANTED))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--policy", default="relaxed", choices=["dada", "pair", "relaxed"])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", default="planted_policies.jsonl")
    arguments = parser.parse_args()
    for name in arguments.tasks:
        for seed in arguments.seeds:
            found = run(name, seed, arguments.epochs, arguments.policy)
            with Path(arguments.out).open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
