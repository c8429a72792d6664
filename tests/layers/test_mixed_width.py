import keras
import numpy as np
import pytest

from keras_dha.layers import MixedWidth
from keras_dha.spaces import Choice


def choice(name: str, count: int) -> Choice:
    return Choice(name, tuple(str(i) for i in range(count)), keep=count, at_least=1)


X = np.arange(1.0, 7.0, dtype="float32").reshape(2, 3)


def test_each_channel_takes_the_weight_of_its_option() -> None:
    gate = MixedWidth([choice("a", 3)], np.arange(3))
    np.testing.assert_allclose(gate([X, np.array([1.0, 0.5, 0.0], "float32")]), X * [1.0, 0.5, 0.0])


def test_channels_of_two_choices_and_of_none() -> None:
    gate = MixedWidth([choice("a", 1), choice("b", 2)], np.array([2, -1, 0]))
    weights = [np.array([0.5], "float32"), np.array([9.0, 0.25], "float32")]
    np.testing.assert_allclose(gate([X, *weights]), X * [0.25, 1.0, 0.5])
    gate.settle({"a": [], "b": [0, 1]})
    np.testing.assert_array_equal(gate.open_channels(), [True, True, False])
    np.testing.assert_allclose(gate([X, *weights]), X * [1.0, 1.0, 0.0])
    gate.reopen()
    assert gate.open_channels().all()


def test_gates_are_rounded_only_when_they_multiply() -> None:
    gate = MixedWidth([choice("a", 3)], np.arange(3), dtype="mixed_bfloat16")
    assert gate([X, np.ones(3, "float32")]).dtype == "bfloat16"
    assert gate.compute_output_spec([keras.KerasTensor((None, 3)), keras.KerasTensor((3,))]).shape == (None, 3)


@pytest.mark.parametrize("at", [0.0, 1.0])
def test_an_open_gate_is_left_out_when_all_is_settled(at: float) -> None:
    gate = MixedWidth([choice("a", 3)], np.arange(3))
    gate.settle({"a": [0, 1, 2]})
    np.testing.assert_array_equal(gate([X, np.full(3, at, "float32")]), X)
