"""What augmentation costs in a training step, and beside `keras.layers.RandAugment`.

    python benchmarks/augmentation_cost.py --rounds 9

The all-3x3 NAS-Bench-201 network (C=16) on 32x32x3, batches of 64. Two comparisons, in turns, medians of the rounds:

- steps of a `SearchModel` with the architecture given, with a policy (drawing, applying and learning it) and without;
  from held-out examples it learns in every tenth step, else in each;
- policies alone, each in a graph on the same batch, beside Keras's RandAugment of two operations. How often the graph
  was traced while the policy moved is printed, too.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from step_cost import ALL_3X3, make_data, stepper


def medians(runs: Mapping[str, Callable[[int], float]], rounds: int, steps: int) -> dict[str, float]:
    """Seconds a step of each, the median over rounds in which they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run(steps))
    return {name: statistics.median(values) for name, values in seconds.items()}


def in_steps(arguments: argparse.Namespace) -> None:
    """Prints steps with and without a policy."""
    import keras_dha
    from keras_dha.augmentation import DADAPolicy, PairPolicy, RelaxedPolicy
    from keras_dha.data import PairedData

    x, y = make_data(32, 3)
    data = PairedData(x, y, batch_size=64, num_classes=10)
    runs = {}
    policies = {
        "without": None,
        "with a PairPolicy": PairPolicy(),
        "with a PairPolicy, held out": PairPolicy(direction="held_out", score="log_probability", temperature=None),
        "with a DADAPolicy": DADAPolicy(direction="adversarial"),
        "with a DADAPolicy, held out": DADAPolicy(),
        "with a RelaxedPolicy": RelaxedPolicy(direction="adversarial"),
        "with a RelaxedPolicy, held out": RelaxedPolicy(),
    }
    for name, policy in policies.items():
        space = keras_dha.spaces.NASBench201Space((32, 32, 3), 10, channels=16, cells_per_stage=1)
        model = keras_dha.SearchModel(space, decisions=ALL_3X3, augmentation=policy, hyperparameters=None)
        model.compile()
        model.scaling.adapt(0, 255, data.summary.mean, data.summary.std)
        runs[name] = stepper(model, data.dataset)
    found = medians(runs, arguments.rounds, arguments.steps)
    for name, value in found.items():
        print(f"a step {name:30} {1000 * value:7.2f} ms, {value / found['without'] - 1:+7.1%}")


def alone(arguments: argparse.Namespace) -> None:
    """Prints policies on a batch, beside Keras's."""
    import keras
    import tensorflow as tf

    from keras_dha.augmentation import DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment

    images = tf.constant(np.random.default_rng(0).random((64, 32, 32, 3), "float32"))
    pair, relaxed = PairPolicy(), RelaxedPolicy()
    for policy in (pair, relaxed):
        policy.set_phase(settled=True)
    layers = {
        "keras.layers.RandAugment": keras.layers.RandAugment(value_range=(0, 1), num_ops=2, factor=0.5),
        "PairPolicy": pair,
        "DADAPolicy": DADAPolicy(),
        "RelaxedPolicy": relaxed,
        "RandAugment": RandAugment(),
        "TrivialAugment": TrivialAugment(),
    }
    functions = {name: tf.function(lambda x, layer=layer: layer(x, training=True)) for name, layer in layers.items()}

    def repeated(function: Any) -> Callable[[int], float]:
        def run(steps: int) -> float:
            started = time.perf_counter()
            for _ in range(steps):
                pair.logits.assign_add(0.01 * tf.eye(14))
                relaxed.choice.assign_add(0.01 * tf.eye(14)[None, :2])
                out = function(images)
            float(out[0, 0, 0, 0])
            return (time.perf_counter() - started) / steps

        run(3)
        return run

    found = medians({name: repeated(f) for name, f in functions.items()}, arguments.rounds, arguments.steps)
    for name, value in found.items():
        traces = functions[name].experimental_get_tracing_count()
        ratio = value / found["keras.layers.RandAugment"]
        print(f"{name:25} {1000 * value:7.2f} ms a batch, {ratio:5.2f} of Keras's RandAugment, {traces} trace(s)")


def main() -> None:
    """Both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    in_steps(arguments)
    alone(arguments)


if __name__ == "__main__":
    main()
