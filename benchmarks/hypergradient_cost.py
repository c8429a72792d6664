"""What learned hyper-parameters cost in a training step.

    python benchmarks/hypergradient_cost.py --rounds 5

The all-3x3 NAS-Bench-201 network (C=16) on 32x32x3, batches of 64. Steps of a `SearchModel` with the architecture
given, with and without learned hyper-parameters, in turns, medians of the rounds. One step takes one forward and
backward pass of the training batch, so that +100 % is one more of them.
"""

import argparse
from typing import Any

from augmentation_cost import medians
from step_cost import ALL_3X3, make_data, stepper

RATE_AND_DECAY, LOSS = ("LearningRate", "WeightDecay"), ("L2", "LabelSmoothing")
CASES: dict[str, tuple[tuple[str, ...], str | None, int]] = {
    "nothing learned": ((), None, 1),
    "rate and decay, WholePath, every step": (RATE_AND_DECAY, "WholePath", 1),
    "rate and decay, WholePath, every 10": (RATE_AND_DECAY, "WholePath", 10),
    "rate and decay, OneStep, every step": (RATE_AND_DECAY, "OneStep", 1),
    "rate and decay, OneStep, every 10": (RATE_AND_DECAY, "OneStep", 10),
    "rate, HypergradientDescent": (("LearningRate",), "HypergradientDescent", 1),
    "L2 and smoothing, OneStep, every 10": (LOSS, "OneStep", 10),
    "L2 and smoothing, T1T2, every step": (LOSS, "T1T2", 1),
    "L2 and smoothing, T1T2, every 10": (LOSS, "T1T2", 10),
    "L2 and smoothing, Neumann(3), every 10": (LOSS, "Neumann", 10),
    "rate and decay, ForwardMode, every 10": (RATE_AND_DECAY, "ForwardMode", 10),
}


def search(names: tuple[str, ...], estimator: str | None, every: int) -> Any:
    """A compiled search model that learns these hyper-parameters."""
    import keras_dha
    from keras_dha.optimizers import MomentumSGD

    schedule = keras_dha.schedules.Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=every)
    arguments = {} if estimator is None else {"hypergradients": getattr(keras_dha.hypergradients, estimator)()}
    model = keras_dha.SearchModel(
        keras_dha.spaces.NASBench201Space((32, 32, 3), 10, channels=16, cells_per_stage=1),
        decisions=ALL_3X3,
        augmentation=None,
        hyperparameters=[getattr(keras_dha.hyperparameters, name)() for name in names],
        schedule=schedule,
        **arguments,
    )
    model.compile(MomentumSGD(0.05, momentum=0.9, nesterov=True))
    return model


def main() -> None:
    """All cases, beside a step that learns nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    arguments = parser.parse_args()
    from keras_dha.data import PairedData

    x, y = make_data(32, 3)
    runs = {}
    for name in arguments.cases:
        names, estimator, every = CASES[name]
        data = PairedData(x, y, batch_size=64, num_classes=10, held_out=0.5 if names else None)
        model = search(names, estimator, every)
        model.scaling.adapt(0, 255, data.summary.mean, data.summary.std)
        runs[name] = stepper(model, data.dataset)
    found = medians(runs, arguments.rounds, arguments.steps)
    plain = found[arguments.cases[0]]
    for name, value in found.items():
        print(f"{name:40} {1000 * value:7.1f} ms a step, {value / plain - 1:+7.1%}")


if __name__ == "__main__":
    main()
