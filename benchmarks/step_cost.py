"""What a step of search and of settling costs beside a plain Keras step, in time and in memory.

    python benchmarks/step_cost.py --channels 16 --batch-size 64 --rounds 5

Time, in one process: the derived model by plain `fit` and the search model in both of its phases take turns on the same
batches, `--steps` steps a turn, after warm-up; the median over the rounds and the ratio to plain Keras are printed. A
search turn holds its share of hyper-parameter steps. The derived network is the all-3x3 cell, the dearest of the space.

Memory, a process each: the peak of resident memory over a short fit, as it is and above what the process held before it
built a model. Run it with `--memory-of KIND` from a shell: a process that another one starts inherits its peak. With
`--options N` the space is a chain of choices between N like convolutions instead, to see how memory grows with N.
"""

import argparse
import json
import resource
import statistics
import time
from typing import Any

import numpy as np

ALL_3X3 = {f"edge_{j}_from_{i}": "nor_conv_3x3" for j in (1, 2, 3) for i in range(j)}
KINDS = ("child", "SparseCode", "OneHotSample", "Softmax")


def make_data(size: int, channels: int, examples: int = 2048) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures: cost does not depend on what they show."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (examples, size, size, channels), dtype=np.uint8), rng.integers(0, 10, examples)


def make_space(arguments: argparse.Namespace) -> Any:
    """One cell a stage."""
    import keras_dha

    shape = (arguments.size, arguments.size, arguments.colors)
    if arguments.options:
        return make_chain(shape, arguments.channels, arguments.options)
    return keras_dha.spaces.NASBench201Space(shape, 10, channels=arguments.channels, cells_per_stage=1)


def make_chain(shape: tuple[int, int, int], channels: int, options: int, length: int = 9) -> Any:
    """Choices in a row, each between `options` 3x3 convolutions."""
    import keras

    import keras_dha
    from keras_dha.spaces.operations import conv, relu_conv_bn

    class Chain(keras_dha.SearchSpace):
        def build(self, choose: Any) -> keras.Model:
            inputs = keras.Input(self.input_shape)
            x = keras.Sequential(conv(channels, 3))(inputs)
            for i in range(length):
                x = choose.op(f"layer_{i}", {f"conv_{k}": lambda: relu_conv_bn(channels, 3) for k in range(options)})(x)
            x = keras.layers.GlobalAveragePooling2D()(x)
            return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    return Chain(shape, 10)


def stepper(model: Any, batches: Any) -> Any:
    """A function that runs `n` steps of the model's own `fit` graph on the batches, and returns seconds a step."""
    model.make_train_function(force=True)
    iterator = iter(batches.repeat())

    def run(steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            logs = model.train_function(iterator)
        float(logs["loss"])
        return (time.perf_counter() - started) / steps

    run(10)
    return run


def child(arguments: argparse.Namespace) -> Any:
    """A derived network, all-3x3 where there is such a thing, compiled as a user would."""
    import keras_dha

    space = make_space(arguments)
    decisions = space.random_decisions(seed=0) if arguments.options else ALL_3X3
    model = keras_dha.SearchModel(space, decisions=decisions, seed=0)
    model.compile()
    return model.derive()


def time_steps(arguments: argparse.Namespace) -> None:
    """Prints milliseconds a step and ratios."""
    import tensorflow as tf

    import keras_dha
    from keras_dha.data import PairedData

    x, y = make_data(arguments.size, arguments.colors)
    data = PairedData(x, y, batch_size=arguments.batch_size, num_classes=10)
    plain_batches = (
        tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).batch(arguments.batch_size, drop_remainder=True)
    )
    # All models before the first step: setting a seed makes TensorFlow forget its compiled graphs.
    plain = child(arguments)
    search = keras_dha.SearchModel(make_space(arguments), seed=0)
    settled = keras_dha.SearchModel(make_space(arguments), decisions=ALL_3X3, seed=0)
    for model in (search, settled):
        model.compile()
        model.scaling.adapt(0, 255, data.summary.mean, data.summary.std)
    settled.settle()
    runs = {
        "plain": stepper(plain, plain_batches.prefetch(2)),
        "search": stepper(search, data.dataset),
        "settle": stepper(settled, data.dataset),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            seconds[name].append(run(arguments.steps))
    reference = statistics.median(seconds["plain"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:8} {1000 * median:8.1f} ms a step, {median / reference:5.2f} of plain, {len(values)} rounds")


def measure_memory(arguments: argparse.Namespace, kind: str) -> None:
    """Prints the peak of this process as JSON."""
    import keras_dha

    x, y = make_data(arguments.size, arguments.colors)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if kind == "child":
        child(arguments).fit(x, y, batch_size=arguments.batch_size, epochs=2, verbose=0)
    else:
        relaxation = getattr(keras_dha.relaxations, kind)()
        schedule = keras_dha.schedules.Schedule(search_fraction=1.0)
        model = keras_dha.SearchModel(make_space(arguments), relaxation=relaxation, schedule=schedule, seed=0)
        model.fit(x, y, batch_size=arguments.batch_size, epochs=2, verbose=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"kind": kind, "peak_mib": peak / 1024, "above_start_mib": (peak - before) / 1024}))


def main() -> None:
    """Times steps, or measures the memory of one kind of fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--colors", type=int, default=3)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--options", type=int, default=0, help="options a choice, for --memory-of")
    parser.add_argument("--memory-of", choices=KINDS, help="measure this one, in this process")
    arguments = parser.parse_args()
    if arguments.memory_of:
        measure_memory(arguments, arguments.memory_of)
        return
    time_steps(arguments)


if __name__ == "__main__":
    main()
