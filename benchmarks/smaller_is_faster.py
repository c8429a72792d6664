"""What gates cost in a training step, and what a model without the channels that they close gains in latency.

    python benchmarks/smaller_is_faster.py --step
    python benchmarks/smaller_is_faster.py --latency
    python benchmarks/smaller_is_faster.py --latency --applications MobileNetV2 ResNet50

`--step`: milliseconds of a training step of the networks of `channel_gates.py`, with and without gates (weights and
gates move together; without, the weights alone, in the same trainer), in turns, median of `--rounds`.

`--latency`: milliseconds of one picture in a SavedModel and in LiteRT, of the network and of ones with half of its
multiply-adds, random channels closed, in each width a multiple of `--multiples`; in turns, median, one thread.
`--applications` takes networks of `keras.applications` in their place, at 224 x 224. LiteRT needs
`pip install ai-edge-litert`.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from augmentation_cost import medians
from channel_gates import NETWORKS, network
from cores import use_one_core
from step_cost import make_data, stepper

import keras_dha
from keras_dha.costs import multiply_adds
from keras_dha.data import PairedData
from keras_dha.derivation import FixedChooser
from keras_dha.exports import export_model
from keras_dha.penalties import CostTarget
from keras_dha.recipes import dnal
from keras_dha.relaxations import ScaledSigmoid
from keras_dha.schedules import Schedule
from keras_dha.spaces import GatedSpace

DATA = {"x_train": np.random.default_rng(0).integers(0, 255, (64, 32, 32, 3)).astype("uint8"), "y_train": np.arange(10)}
TOGETHER = Schedule(search_fraction=1.0, warmup_fraction=0.0)


def report(what: str, found: dict[str, float]) -> None:
    """A line with medians and ratios to the first."""
    first = next(iter(found.values()))
    each = [f"{name} {1000.0 * value:.3g} ms ({value / first:.3f})" for name, value in found.items()]
    print(f"{what}: {', '.join(each)}", flush=True)


def steps(name: str, rounds: int) -> None:
    """Training steps with and without gates."""
    x, y = make_data(32, 3)
    runs = {}
    for kind in ("plain", "gated"):
        space = GatedSpace(network(name, DATA))
        whole = {choice.name: choice.options for choice in space.choices()}
        recipe = dnal(max_multiply_adds=0.5).replace(schedule=TOGETHER, width_relaxation=ScaledSigmoid())
        model = keras_dha.SearchModel(space, recipe, decisions=whole if kind == "plain" else None, seed=0)
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True))
        runs[kind] = stepper(model, PairedData(x, y, batch_size=64, num_classes=10, held_out=None).dataset)
    report(f"step of {name}", medians(runs, rounds, 10))


def half(model: keras.Model, multiple: int) -> keras.Model:
    """The model with random channels, of half the multiply-adds."""
    space = GatedSpace(model, multiple_of=multiple)
    gates = [ScaledSigmoid(seed=0).for_choice(choice) for choice in space.choices()]
    rng = np.random.default_rng(0)
    for gate in gates:
        gate.build()
        gate.logits.assign(rng.normal(size=len(gate.choice.options)))
    by_name = {gate.choice.name: gate for gate in gates}
    target = CostTarget(0.5)
    target.prepare(by_name, space)
    target.finish(by_name)
    kept = {
        name: np.flatnonzero(keras.ops.convert_to_numpy(gate.harden(gate.logits))) for name, gate in by_name.items()
    }
    return space.without_closed(space.build(FixedChooser({name: [str(i) for i in k] for name, k in kept.items()})))


def timed(call: Callable[[], Any]) -> Callable[[int], float]:
    """A function that makes `n` calls, and returns seconds a call; warmed up."""

    def run(number: int) -> float:
        started = time.perf_counter()
        for _ in range(number):
            call()
        return (time.perf_counter() - started) / number

    run(5)
    return run


def saved_model(model: keras.Model, folder: Path) -> Callable[[], Any]:
    """A call of the model as SavedModel."""
    import tensorflow as tf

    export_model(model, folder / model.name)
    serve = tf.saved_model.load(folder / model.name).signatures["serve"]
    x = tf.zeros((1, *model.input_shape[1:]))
    return lambda: serve(x)["logits"].numpy()


def litert(model: keras.Model, folder: Path) -> Callable[[], Any]:
    """A call of the model in LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    path = folder / f"{model.name}.tflite"
    model.export(path, format="litert", verbose=False)
    interpreter = Interpreter(str(path), num_threads=1)
    place = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(place["index"], (1, *model.input_shape[1:]))
    interpreter.allocate_tensors()
    interpreter.set_tensor(place["index"], np.zeros((1, *model.input_shape[1:]), place["dtype"]))
    return interpreter.invoke


def latencies(name: str, whole: keras.Model, rounds: int, multiples: Sequence[int]) -> None:
    """Of the network and of halves of it."""
    models = {"whole": whole}
    for multiple in multiples:
        kind = f"half_in_{multiple}"
        models[kind] = half(whole, multiple)
        models[kind].name = f"{kind}_{name}"
        print(f"{name}, {kind}: {multiply_adds(models[kind]) / multiply_adds(whole):.3f} of the multiply-adds")
    for make in (saved_model, litert):
        with tempfile.TemporaryDirectory() as folder:
            runs = {kind: timed(make(model, Path(folder))) for kind, model in models.items()}
            report(f"{make.__name__} of {name}", medians(runs, rounds, 20 if name in NETWORKS else 3))


def main() -> None:
    """Measures what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--applications", nargs="+", default=[])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--multiples", nargs="+", type=int, default=[1, 8], help="of the channels of a width")
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--latency", action="store_true")
    arguments = parser.parse_args()
    use_one_core()
    for name in arguments.networks if arguments.step else ():
        steps(name, arguments.rounds)
    if arguments.latency and not arguments.applications:
        for name in arguments.networks:
            latencies(name, network(name, DATA), arguments.rounds, arguments.multiples)
    for name in arguments.applications:
        whole = getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3))
        latencies(name, whole, arguments.rounds, arguments.multiples)


if __name__ == "__main__":
    main()
