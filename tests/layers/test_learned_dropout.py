import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.hyperparameters import DropoutRate
from keras_dha.layers import LearnedDropout, with_dropout_rates, with_learned_dropout


def layer_of(part: DropoutRate, **arguments: object) -> LearnedDropout:
    return LearnedDropout(part.value, lambda: part.drops, seed=0, **arguments)


def test_it_drops_the_share_and_keeps_the_mean() -> None:
    part = DropoutRate(0.3)
    found = np.asarray(layer_of(part)(np.ones((200, 200), "float32"), training=True))
    assert (found == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert found.mean() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(found[found != 0], 1 / 0.7, rtol=1e-5)


def test_nothing_is_dropped_outside_of_training_or_while_it_rests() -> None:
    part, ones = DropoutRate(0.5), np.ones((4, 5), "float32")
    layer = layer_of(part)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    with part.resting():
        np.testing.assert_array_equal(layer(ones, training=True), ones)
    assert np.asarray(layer(ones, training=True)).min() == 0.0


def test_the_gradient_is_that_of_the_mean() -> None:
    """Of `mean(x^2) = 1 / (1 - rate)`: `1 / (1 - rate)^2`."""
    part = DropoutRate(0.3, space="raw")
    layer = layer_of(part)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(tf.square(layer(np.ones((500, 500), "float32"), training=True)))
    assert float(tape.gradient(value, part.theta.value)) == pytest.approx(1 / 0.7**2, rel=0.1)


def test_one_draw_for_a_whole_row() -> None:
    found = np.asarray(layer_of(DropoutRate(0.5), noise_shape=(None, 1))(np.ones((50, 6), "float32"), training=True))
    assert (found == found[:, :1]).all()
    assert 0 < (found[:, 0] == 0).mean() < 1


def test_layers_of_nested_models_are_replaced_by_name() -> None:
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.0, name="inside")])
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dropout(0.2, name="outside")(inner(inputs)))
    parts = [DropoutRate(0.4), DropoutRate(0.6, where="inside")]
    learned, found = with_learned_dropout(model, parts)
    assert sorted(found) == ["inside", "outside"]
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(learned(x), model(x))
    fixed = with_dropout_rates(model, parts)
    assert fixed.get_layer("outside").rate == pytest.approx(0.4)
    assert fixed.layers[1].get_layer("inside").rate == pytest.approx(0.6)
    np.testing.assert_array_equal(fixed(x), model(x))
    assert model.get_layer("outside").rate == 0.2
