from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.layers import BatchNormalization, with_fused_normalization

X = np.random.default_rng(0).normal(2.0, 3.0, (4, 5, 5, 3)).astype("float32")


def pair(**config: Any) -> list[keras.layers.Layer]:
    """The stock layer and ours, with the same configuration."""
    layers = [cls(**config) for cls in (keras.layers.BatchNormalization, BatchNormalization)]
    for layer in layers:
        layer.build(X.shape)
    return layers


def steps(layer: keras.layers.Layer, x: Any, *, training: bool = True) -> list[np.ndarray]:
    """Outputs, gradients and variables after two calls."""
    x = tf.convert_to_tensor(x)
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(tf.cast(y, "float32") ** 3)
        gradients = tape.gradient(loss, [x, *[v.value for v in layer.trainable_variables]])
    return [np.asarray(tf.cast(value, "float32")) for value in [y, *gradients, *layer.weights]]


@pytest.mark.parametrize(
    "config", [{}, {"scale": False}, {"center": False, "scale": False}, {"momentum": 0.9, "epsilon": 1e-5}], ids=str
)
@pytest.mark.parametrize("training", [True, False])
def test_equals_the_stock_layer(config: dict[str, Any], training: bool) -> None:
    stock, ours = pair(**config)
    for expected, found in zip(steps(stock, X, training=training), steps(ours, X, training=training), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-3)


def test_moving_variance_is_that_of_keras_on_few_numbers() -> None:
    ours = pair(momentum=0.0)[1]
    ours(X[:1, :1, :2], training=True)  # two numbers a channel: a factor of 2 between n and n - 1
    np.testing.assert_allclose(ours.moving_variance, X[0, 0, :2].var(axis=0), rtol=1e-4)


def test_frozen_it_uses_and_keeps_its_moving_statistics() -> None:
    ours = pair()[1]
    ours.trainable = False
    np.testing.assert_allclose(ours(X, training=True), X / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_array_equal(ours.moving_mean, np.zeros(3))


@pytest.mark.parametrize("shape", [(16, 3), (4, 5, 3)])
def test_other_ranks_take_the_stock_path(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    for expected, found in zip(steps(keras.layers.BatchNormalization(), x), steps(BatchNormalization(), x)):
        np.testing.assert_array_equal(found, expected)


def test_mixed_precision() -> None:
    layer = BatchNormalization(dtype="mixed_bfloat16")
    y = layer(X, training=True)
    assert y.dtype == "bfloat16"
    assert layer.moving_mean.dtype == "float32"
    expected = keras.layers.BatchNormalization()(X, training=True)
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, atol=0.05)


def test_config_is_that_of_the_stock_layer() -> None:
    stock, ours = pair(momentum=0.5, epsilon=0.1, name="same")
    assert ours.get_config() == stock.get_config()
    assert BatchNormalization.from_config(ours.get_config()).momentum == 0.5


def nested() -> keras.Model:
    inner = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.BatchNormalization(name="inner")])
    x = keras.Input((4, 4, 2))
    y = keras.layers.BatchNormalization(name="outer")(inner(x))
    return keras.Model(x, keras.layers.Conv2D(2, 1, name="convolution")(y))


def test_replacement_reaches_nested_models_and_keeps_weights() -> None:
    model = nested()
    weights = [np.random.default_rng(2).uniform(0.5, 1.5, w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    fused = with_fused_normalization(model)
    kinds = [type(layer) for layer in fused.layers[1].layers + fused.layers[2:]]
    assert kinds == [BatchNormalization, BatchNormalization, keras.layers.Conv2D]
    for expected, found in zip(weights, fused.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    x = X[:, :4, :4, :2]
    np.testing.assert_allclose(fused(x), model(x), atol=1e-5)


def test_what_has_no_normalization_is_left_as_it_is() -> None:
    dense = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((2,)), dense])
    assert with_fused_normalization(dense) is dense
    assert with_fused_normalization(model) is model
