"""What a learned augmentation policy is worth, on CIFAR-10, at equal epochs.

    python benchmarks/policy_gain.py --tune --out tuned.jsonl
    python benchmarks/policy_gain.py --strength 0.3 --seeds 0 1 2 --out gain.jsonl
    python benchmarks/policy_gain.py --table gain.jsonl

A ResNet of three blocks (16, 32, 64 channels) on `cifar10_12k`, SGD with Nesterov momentum, the learning rate constant
in the first half of the epochs and annealed in the second:

- `none`: no augmentation;
- `flip_crop`: mirroring and crop, as all below;
- `rand_augment`: and RandAugment, two operations of `--strength`;
- `random`: and a `RelaxedPolicy` of random choices, probabilities and strengths, other ones for each seed;
- `relaxed`, `dada`: and a `RelaxedPolicy`, or a `DADAPolicy`, that learns in the first half of this fit from a fifth of
  the training part, which goes back to it after that.

`--tune` chooses the strength of RandAugment: trains with each of `--strengths` on four fifths of the training part and
prints accuracies on the rest. The test part is read once, at the end of the other runs. Runs have one thread, on a core
each.
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
from reference_data import load

import keras_dha
from keras_dha.augmentation import (
    AugmentationPolicy,
    Crop,
    DADAPolicy,
    HorizontalFlip,
    PairPolicy,
    RandAugment,
    RelaxedPolicy,
)

CONFIGURATIONS = ("none", "flip_crop", "rand_augment", "random", "relaxed", "dada")
BASE = (Crop(), HorizontalFlip())


def network(widths: tuple[int, ...] = (16, 32, 64)) -> keras.Model:
    """A residual block a width."""

    def normalized(x: Any, width: int, strides: int = 1, size: int = 3) -> Any:
        x = keras.layers.Conv2D(width, size, strides, padding="same", use_bias=False)(x)
        return keras.layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 64.0, -2.0)(inputs)
    x = keras.layers.ReLU()(normalized(x, widths[0]))
    for width in widths:
        strides = 1 if width == widths[0] else 2
        shortcut = x if strides == 1 else normalized(x, width, strides, 1)
        y = keras.layers.ReLU()(normalized(x, width, strides))
        x = keras.layers.ReLU()(keras.layers.add([normalized(y, width), shortcut]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


@keras.saving.register_keras_serializable(package="policy_gain")
class Unlearned(RelaxedPolicy):
    """Single operations of the choices, probabilities and strengths that it is given."""

    learns_from, learns_through_images = "training", False

    def set_phase(self, settled: bool) -> None:
        """Told of the search, does not mix."""
        super().set_phase(settled=True)

    def loss(self, draws: Any, signal: Any) -> Any:
        """Nothing is learned."""
        return AugmentationPolicy.loss(self, draws, signal)


def policy_for(name: str, seed: int, strength: float) -> AugmentationPolicy:
    """What a configuration trains with."""
    if name == "none":
        return PairPolicy(("Identity",))
    if name == "flip_crop":
        return PairPolicy(("Identity",), base=BASE)
    if name == "rand_augment":
        return RandAugment(strength=strength, base=BASE)
    if name in ("relaxed", "dada"):
        return {"relaxed": RelaxedPolicy, "dada": DADAPolicy}[name](base=BASE)
    policy, rng = Unlearned(base=BASE), np.random.default_rng(seed)
    policy.choice.assign(np.log(rng.dirichlet(np.ones(policy.choice.shape[-1]), policy.choice.shape[:-1])))
    for variable in (policy.probability, policy.strength):
        variable.assign(rng.logistic(size=variable.shape))  # of which the sigmoid is uniform
    return policy


def run(name: str, seed: int, arguments: argparse.Namespace, data: dict[str, np.ndarray]) -> dict[str, Any]:
    """One fit, and what it is worth on what it has not seen."""
    keras.utils.set_random_seed(seed)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(arguments.rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    model.compile(optimizer, loss, metrics=["accuracy"])
    schedule = keras_dha.schedules.Schedule(
        search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=arguments.every
    )
    policy = policy_for(name, seed, arguments.strength)
    search = keras_dha.SearchModel(model, augmentation=policy, hyperparameters=None, schedule=schedule, seed=seed)
    search.compile(augmentation_optimizer=keras.optimizers.Adam(arguments.policy_rate))
    search.fit(data["x_train"], data["y_train"], batch_size=64, epochs=arguments.epochs, verbose=0)
    value, accuracy = search.derive().evaluate(data["x_test"], data["y_test"], batch_size=500, verbose=0)
    found = {"configuration": name, "seed": seed, "accuracy": accuracy, "loss": value}
    found |= {key: getattr(arguments, key) for key in ("epochs", "rate", "strength", "every", "policy_rate", "tune")}
    return {**found, "policy": search.policy(), "words": search.augmentation.sentences(8)}


def part(seed: int, tune: bool) -> dict[str, np.ndarray]:
    """Training and test part; to tune, both of the training part."""
    data = load("cifar10_12k")
    if not tune:
        return data
    order = np.random.default_rng(1234 + seed).permutation(len(data["x_train"]))
    rest, kept = np.split(order, [len(order) // 5])
    return {f"{key}_{name}": data[f"{key}_train"][i] for name, i in (("train", kept), ("test", rest)) for key in "xy"}


def table(lines: list[dict[str, Any]]) -> str:
    """Mean, spread and single runs, as Markdown."""
    rows = ["| | mean test accuracy | standard deviation | runs |", "|---|---|---|---|"]
    for name in CONFIGURATIONS:
        values = [line["accuracy"] for line in lines if line["configuration"] == name]
        if len(values) > 1:
            each = ", ".join(f"{value:.4f}" for value in values)
            rows.append(f"| `{name}` | {statistics.mean(values):.4f} | {statistics.stdev(values):.4f} | {each} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for, each fit in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", nargs="+", default=list(CONFIGURATIONS), choices=CONFIGURATIONS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--every", type=int, default=5, help="steps between two of the policy")
    parser.add_argument("--policy-rate", type=float, default=0.02)
    parser.add_argument("--strength", type=float, default=0.3, help="of RandAugment")
    parser.add_argument("--strengths", nargs="+", type=float, default=[0.1, 0.2, 0.4, 0.7])
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="policy_gain.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
        return
    if arguments.here:
        use_one_core()
        seed = arguments.seeds[0]
        found = run(arguments.configurations[0], seed, arguments, part(seed, arguments.tune))
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps({key: value for key, value in found.items() if key != "policy"}), flush=True)
        return
    names = ("epochs", "rate", "every", "policy_rate", "out")
    common = ["--here", *(f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in names)]
    if arguments.tune:
        runs = [("rand_augment", 0, strength) for strength in arguments.strengths]
        common.append("--tune")
    else:
        runs = [(name, seed, arguments.strength) for seed in arguments.seeds for name in arguments.configurations]
    command = [sys.executable, __file__, *common]
    run_on_cores(
        [[*command, "--configurations", name, f"--seeds={seed}", f"--strength={value}"] for name, seed, value in runs],
        arguments.cores,
    )


if __name__ == "__main__":
    main()
