import builtins
from collections.abc import Iterator
from typing import Any

import keras
import pytest

from keras_dha.costs import Timing, milliseconds, milliseconds_of, runtimes


def network() -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])


def test_a_model_takes_time_in_litert() -> None:
    pytest.importorskip("ai_edge_litert")
    two = keras.Input((2,), name="a"), keras.Input((2,), dtype="int32", name="b")
    both = keras.Model({"a": two[0], "b": two[1]}, keras.ops.multiply(two[0], keras.ops.cast(two[1], "float32")))
    for timing in milliseconds_of([network(), both], repeats=6):
        assert 0.0 < timing.ms < 1000.0
        assert timing.spread >= 0.0


def test_a_model_takes_time_as_a_saved_model() -> None:
    timing = milliseconds(network(), runtime="saved_model", repeats=5)
    assert 0.0 < timing.ms < 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock that stands still, unless a call moves it."""
    now = [0.0]
    monkeypatch.setattr(runtimes, "_clock", lambda: now[0])
    return now


def test_the_time_is_that_of_the_least_disturbed_round_and_calls_are_many_enough_for_the_clock(
    clock: list[float],
) -> None:
    made: list[str] = []

    def maker(name: str, seconds: float) -> Any:
        def make() -> Any:
            made.append(name)

            def call() -> None:
                clock[0] += seconds * (3.0 if made.count(name) == 2 else 1.0)  # the second round is disturbed

            return call

        return make

    found = runtimes._timed([maker("slow", 4e-3), maker("fast", 1e-5)], maker("reference", 1e-4)(), 40)
    assert [timing.ms for timing in found] == pytest.approx([4.0, 0.01])
    assert made == ["reference", *["slow", "fast"] * 20]
    assert runtimes._calls_of_a_repeat(maker("fast", 1e-5)()) >= 200


def test_what_is_measured_while_the_machine_is_slow_is_as_fast_as_beside_what_is_not(clock: list[float]) -> None:
    pace = [1.0]

    def maker(seconds: float, own_pace: float) -> Any:
        def make() -> Any:
            pace[0] = own_pace  # from now on, for the reference, too

            def call() -> None:
                clock[0] += seconds * pace[0]

            return call

        return make

    found = runtimes._timed([maker(3e-3, 1.0), maker(3e-3, 1.7)], maker(1e-3, 1.0)(), 20)
    assert [timing.ms for timing in found] == pytest.approx([3.0, 3.0])


def test_wrong_arguments_are_refused_before_anything_is_converted() -> None:
    with pytest.raises(ValueError, match="Received: runtime='tpu'"):
        milliseconds(network(), runtime="tpu")
    with pytest.raises(ValueError, match="Received: repeats=0"):
        milliseconds(network(), repeats=0)


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *arguments: Any, **others: Any) -> Any:
        if name.startswith("ai_edge_litert"):
            raise ImportError(name)
        return real(name, *arguments, **others)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ImportError, match=r"pip install 'keras-dha\[litert\]'"):
        milliseconds(network())


def test_timings_are_compared_by_value() -> None:
    assert Timing(1.0) == Timing(1.0, 0.0)
