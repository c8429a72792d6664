"""A weighted branch is the weight times the branch, however it is computed."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.layers import BatchNormalization, MixedOp
from keras_dha.layers.branch import is_zero, run
from keras_dha.spaces import Choice

X = np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype("float32")


def sequential(*layers: Any) -> Any:
    model = keras.Sequential(list(layers))
    model.build((None, 6, 6, 3))
    return model


def conv_bn(**arguments: Any) -> Any:
    return sequential(keras.layers.ReLU(), keras.layers.Conv2D(3, 3, padding="same"), BatchNormalization(**arguments))


BRANCHES = {
    "normalized": conv_bn,
    "without_scale": lambda: conv_bn(scale=False, center=False),
    "pointwise": lambda: sequential(keras.layers.Conv2D(3, 1, use_bias=False), BatchNormalization()),
    "pointwise_at_the_end": lambda: sequential(keras.layers.Conv2D(3, 1, use_bias=False)),
    "pointwise_and_more": lambda: sequential(keras.layers.Conv2D(3, 1, activation="relu"), keras.layers.Conv2D(3, 1)),
    "pooled": lambda: sequential(keras.layers.AveragePooling2D(3, 1, "same")),
    "layer": keras.layers.Identity,
    "normalization": lambda: sequential(BatchNormalization()),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BRANCHES)
def test_values_gradients_and_statistics_are_those_of_the_plain_product(name: str, training: bool) -> None:
    branch, plain = BRANCHES[name](), BRANCHES[name]()
    plain.set_weights(branch.get_weights())
    for layer in (branch, plain):
        for variable in layer.trainable_variables:
            if variable.name in ("gamma", "beta"):
                variable.assign_add(np.linspace(0.1, 0.3, 3))
    weight, x = tf.constant(0.4), tf.constant(X)

    def results(layer: Any, multiply: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch([weight, x])
            output = multiply(layer)
            loss = tf.reduce_sum(tf.sin(output))
        gradients = tape.gradient(loss, [weight, x, *layer.trainable_variables])
        return [output, *gradients, *layer.non_trainable_variables]

    found = results(branch, lambda layer: run(layer, x, weight, training, {}))
    expected = results(plain, lambda layer: weight * layer(x, training=training))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_without_a_weight_it_is_the_branch() -> None:
    branch = conv_bn()
    np.testing.assert_allclose(run(branch, X, None, False), branch(X), rtol=1e-5)


def test_branches_of_an_input_share_their_relu() -> None:
    first, second, leaky = conv_bn(), conv_bn(), sequential(keras.layers.ReLU(negative_slope=0.5), BatchNormalization())
    rectified: dict[int, Any] = {}
    run(first, X, 1.0, True, rectified)
    (shared,) = rectified.values()
    np.testing.assert_array_equal(shared, np.maximum(X, 0))
    run(second, X, 1.0, True, rectified)
    run(leaky, X, 1.0, True, rectified)
    run(second, X + 1, 1.0, True, rectified)
    assert [value is shared for value in rectified.values()] == [True, False]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_1x1_convolution_is_a_product_of_matrices(dtype: str) -> None:
    convolution = keras.layers.Conv2D(5, 1, use_bias=False, dtype=dtype)
    branch = keras.Sequential([keras.Input((6, 6, 3)), convolution])
    graph = tf.function(lambda x: run(branch, x, None, True)).get_concrete_function(tf.TensorSpec((None, 6, 6, 3)))
    assert not [op for op in graph.graph.get_operations() if op.type == "Conv2D"]
    assert graph.output_shapes == (None, 6, 6, 5)
    assert graph.output_dtypes == convolution.compute_dtype
    np.testing.assert_allclose(*(tf.cast(y, "float32") for y in (graph(X), branch(X))), rtol=1e-2, atol=1e-2)


def test_a_1x1_convolution_that_adds_to_the_loss_still_does() -> None:
    convolution = keras.layers.Conv2D(5, 1, use_bias=False, activity_regularizer="l2")
    run(keras.Sequential([keras.Input((6, 6, 3)), convolution]), X, None, True)
    (loss,) = convolution.losses
    assert loss > 0.0


def test_which_branches_are_zero() -> None:
    assert is_zero(sequential(keras.layers.AveragePooling2D(1), keras.layers.Rescaling(0.0)))
    assert is_zero(keras.layers.Rescaling(0.0))
    assert not is_zero(keras.layers.Rescaling(0.0, offset=1.0))
    assert not is_zero(keras.layers.Rescaling(0.5))
    assert not is_zero(conv_bn())


@pytest.mark.parametrize("options", [("none", "skip"), ("none", "nothing")])
def test_a_dense_mixture_leaves_zeros_out(options: tuple[str, str]) -> None:
    branches = [keras.layers.Identity() if name == "skip" else keras.layers.Rescaling(0.0) for name in options]
    output = MixedOp(Choice("edge", options), branches, sparse=False)([X, tf.constant([0.25, 0.75])])
    np.testing.assert_allclose(output, 0.75 * X if "skip" in options else 0.0 * X, rtol=1e-6)


def test_silu_has_a_gradient_in_a_branch_that_may_not_run() -> None:
    """Not as TensorFlow has it, whose gradient inside of `tf.switch_case` in a function was an AssertionError."""
    layer, x = keras.layers.Activation("silu"), tf.constant([-1.0, 0.0, 2.0])

    @tf.function(autograph=False)
    def switched(x: Any) -> Any:
        return tf.switch_case(tf.constant(0), [lambda: run(layer, x, None, True), lambda: x])

    @tf.function(autograph=False)
    def value_and_slope() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = switched(x)
        return y, tape.gradient(y, x)

    value, slope = value_and_slope()
    share = 1.0 / (1.0 + np.exp(-x.numpy()))
    np.testing.assert_allclose(value, x * share, rtol=1e-6)
    np.testing.assert_allclose(slope, share * (1.0 + x * (1.0 - share)), rtol=1e-6)
