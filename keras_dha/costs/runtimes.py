"""How long networks take on the machine at hand, in the runtimes that serve them."""

import contextlib
import dataclasses
import functools
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha.channels import functional

RUNTIMES = ("litert", "saved_model")
_ROUNDS = 20  # each with a runtime made anew: where its memory lies matters, by up to twice for the smallest models
_LEAST_SECONDS = 2e-3  # of a repeat
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
# One thread's work is its processor time, in which the programs beside it do not count; Windows counts it in ticks.
_clock = time.perf_counter if sys.platform == "win32" else time.process_time
_Call = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Timing:
    """A measured time.

    Args:
        ms: Milliseconds.
        spread: Milliseconds between the quartiles of the repeats.
    """

    ms: float
    spread: float = 0.0


def milliseconds(model: keras.Model, *, runtime: str = "litert", repeats: int = 100) -> Timing:
    """How long a model takes for one example on one thread of the processor.

    In processor time. What else the machine does only ever adds, and that for seconds or minutes at a time, so that
    each repeat stands beside one of a reference, a small convolution. The time is the least ratio to it, of 20 rounds
    the medians, times the reference's least time: that of the machine at its fastest. The spread, of repeats as they
    were, says how much it was disturbed.

    LiteRT runs in this process. A SavedModel runs in a process of its own, since TensorFlow's number of threads is
    fixed once it has run; that process sees no accelerator.

    Args:
        model: A functional or `Sequential` model, built on inputs of a fixed size.
        runtime: `"litert"` or `"saved_model"`. LiteRT needs `pip install 'keras-dha[litert]'`.
        repeats: How many times are taken, each of as many calls as take 2 ms or more. Defaults to 100.

    Raises:
        ImportError: If a package is missing.
        ValueError: If the runtime is unknown, or there are no repeats.

    Example:

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    >>> keras_dha.costs.milliseconds(model).ms > 0.0  # doctest: +SKIP
    True
    """
    return milliseconds_of([model], runtime=runtime, repeats=repeats)[0]


def milliseconds_of(models: Sequence[keras.Model], *, runtime: str = "litert", repeats: int = 100) -> list[Timing]:
    """As `milliseconds`, of many models in turns: what slows the machine for a while slows one repeat of each.

    Args:
        models: As in `milliseconds`.
        runtime: As in `milliseconds`.
        repeats: As in `milliseconds`.

    Raises:
        ImportError: As `milliseconds`.
        ValueError: As `milliseconds`.
    """
    check_runtime(runtime)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise ValueError(f"repeats must be a positive integer. Received: repeats={repeats!r}. Give 100.")
    return _of_litert(models, repeats) if runtime == "litert" else _of_saved_models(models, repeats)


def check_runtime(runtime: str) -> None:
    """Raises a `ValueError` if there is no such runtime."""
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be one of {RUNTIMES}. Received: runtime={runtime!r}. Choose one.")


def _of_litert(models: Sequence[keras.Model], repeats: int) -> list[Timing]:
    """In LiteRT, converted without the detour by `model.export`, which takes ten times as long."""
    import tensorflow as tf

    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            "Times in LiteRT need the package ai-edge-litert. Run: pip install 'keras-dha[litert]'"
        ) from error

    def converted(model: keras.Model) -> bytes:
        with _quiet_converter():  # which advises the slow way, through a SavedModel
            return tf.lite.TFLiteConverter.from_concrete_functions([_served(model).get_concrete_function()]).convert()

    def loaded(content: bytes) -> _Call:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        for place in interpreter.get_input_details():
            interpreter.set_tensor(place["index"], _example(place["shape"], place["dtype"]))
        return interpreter.invoke

    *contents, reference = [converted(model) for model in [*models, _reference()]]
    return _timed([functools.partial(loaded, content) for content in contents], loaded(reference), repeats)


@contextlib.contextmanager
def _quiet_converter() -> Iterator[None]:
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _of_saved_models(models: Sequence[keras.Model], repeats: int) -> list[Timing]:
    """As SavedModels, in a process of one thread that sees no accelerator."""
    with tempfile.TemporaryDirectory() as folder:
        for number, model in enumerate([*models, _reference()]):
            archive = keras.export.ExportArchive()
            archive.track(model)
            serve = _served(model)
            archive.add_endpoint("serve", serve.python_function, input_signature=list(serve.input_signature))
            archive.write_out(str(Path(folder) / str(number)), verbose=False)
        code = f"from keras_dha.costs import runtimes; runtimes.time_saved_models({folder!r}, {len(models)}, {repeats})"
        path = {"PYTHONPATH": os.pathsep.join(place for place in sys.path if place), "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **_ONE_THREAD, **path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"SavedModels must run in a process of their own. Received: {done.stderr[-2000:]}")
        return [Timing(*row) for row in json.loads((Path(folder) / "timings.json").read_text(encoding="utf-8"))]


def time_saved_models(folder: str, number: int, repeats: int) -> None:
    """Writes the times of the SavedModels `0`, `1`, ... in a folder to `timings.json`; for a process of one thread.

    The one after them is the reference.
    """
    import tensorflow as tf

    def loaded(path: Path) -> _Call:
        model = tf.saved_model.load(str(path))
        serve = model.signatures["serve"]
        specs = serve.structured_input_signature[1]
        given = {name: tf.constant(_example(s.shape, s.dtype.as_numpy_dtype)) for name, s in specs.items()}

        def call(_model: Any = model) -> None:  # the variables live as long as the model
            for value in serve(**given).values():
                value.numpy()

        return call

    *calls, reference = [loaded(Path(folder) / str(i)) for i in range(number + 1)]
    found = _timed([functools.partial(_same, call) for call in calls], reference, repeats)
    rows = [[timing.ms, timing.spread] for timing in found]
    (Path(folder) / "timings.json").write_text(json.dumps(rows), encoding="utf-8")


def _same(call: _Call) -> _Call:
    return call


def _reference() -> keras.Model:
    """What tells the machine's pace: a depthwise convolution, which is slowed as much as whole networks are."""
    inputs = keras.Input((28, 28, 8))
    return keras.Model(inputs, keras.layers.DepthwiseConv2D(5, padding="same")(inputs))


def _served(model: keras.Model) -> Any:
    """The model as a function of one example, each input an argument."""
    import tensorflow as tf

    model = functional(model)

    def serve(*inputs: Any) -> Any:
        return model(keras.tree.pack_sequence_as(model.input, list(inputs)), training=False)

    specs = [
        tf.TensorSpec((1, *tensor.shape[1:]), keras.backend.standardize_dtype(tensor.dtype)) for tensor in model.inputs
    ]
    return tf.function(serve, input_signature=specs)


def _example(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An input: noise, or zeros of types that are not floating."""
    if not np.issubdtype(dtype, np.floating):
        return np.zeros(shape, dtype)
    return np.random.default_rng(0).random(tuple(shape)).astype(dtype)


def _timed(makers: Sequence[Callable[[], _Call]], reference: _Call, repeats: int) -> list[Timing]:
    """The time of a call of what each maker makes, in rounds through all of them, each repeat beside the reference."""
    calls_beside = _calls_of_a_repeat(reference)
    rounds = min(_ROUNDS, repeats)
    found: list[list[np.ndarray]] = [[] for _ in makers]  # of each round: repeats by own time and the reference's
    for number in range(rounds):
        for maker, mine in zip(makers, found):
            call = maker()
            calls = _calls_of_a_repeat(call)
            pairs = [(_seconds(call, calls), _seconds(reference, calls_beside)) for _ in range(number, repeats, rounds)]
            mine.append(np.array(pairs))
    pace = min((pairs[:, 1].min() for mine in found for pairs in mine), default=0.0)
    return [_timing(mine, pace) for mine in found]


def _timing(rounds: Sequence[np.ndarray], pace: float) -> Timing:
    """At the reference's pace: of ratios to it the median of a round, and the least of the rounds."""
    ratio = min(float(np.median(pairs[:, 0] / pairs[:, 1])) for pairs in rounds)
    lower, upper = np.quantile(np.concatenate(rounds)[:, 0], (0.25, 0.75))
    return Timing(1000.0 * ratio * float(pace), 1000.0 * float(upper - lower))


def _seconds(call: _Call, calls: int) -> float:
    """Of one call, from as many."""
    started = _clock()
    for _ in range(calls):
        call()
    return (_clock() - started) / calls


def _calls_of_a_repeat(call: _Call) -> int:
    """How many calls take long enough for the clock; the call is warm afterwards."""
    call()
    calls = 1
    while True:
        passed = calls * _seconds(call, calls)
        if passed >= _LEAST_SECONDS:
            return calls
        calls = max(calls + 1, min(10 * calls, round(1.1 * calls * _LEAST_SECONDS / max(passed, 1e-9))))
