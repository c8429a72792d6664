import keras
import numpy as np
import pytest

from keras_dha.layers import BatchNormalization, MixedWidth, with_fused_gates
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


def test_a_normalization_takes_the_gate_behind_it_and_gives_the_same() -> None:
    inputs, weights = keras.Input((4, 4, 3)), keras.Input(batch_shape=(3,))
    x = BatchNormalization(name="fused")(inputs)
    gate = MixedWidth([choice("a", 3)], np.arange(3))
    gated = keras.Model([inputs, weights], keras.layers.ReLU()(gate([x, weights])))
    fused = with_fused_gates(gated)
    assert not any(isinstance(layer, MixedWidth) for layer in fused.layers)
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(8, 4, 4, 3)).astype("float32"), np.array([0.5, 1.0, 0.0], "float32")]
    gated.get_layer("fused").set_weights([rng.uniform(0.5, 1.5, 3) for _ in range(4)])
    for training in (False, True):
        np.testing.assert_allclose(fused(data, training=training), gated(data, training=training), rtol=1e-5, atol=1e-6)
    gate.settle({"a": [0, 1]})
    np.testing.assert_allclose(fused(data), gated(data), rtol=1e-5, atol=1e-6)
    gate.settle({"a": [0, 1, 2]})
    np.testing.assert_allclose(fused(data), gated(data), rtol=1e-5, atol=1e-6)


def test_a_normalization_that_others_read_stays_as_it_is() -> None:
    inputs, weights = keras.Input((4, 4, 3)), keras.Input(batch_shape=(3,))
    x = BatchNormalization()(inputs)
    y = MixedWidth([choice("a", 3)], np.arange(3))([x, weights])
    network = with_fused_gates(keras.Model([inputs, weights], keras.layers.Add()([x, y])))
    assert any(isinstance(layer, MixedWidth) for layer in network.layers)
