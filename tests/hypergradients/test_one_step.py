import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.hyperparameters import LearningRate, WeightDecay, WeightStep

TARGET = tf.constant([3.0, -1.0, 0.5], tf.float64)
START, VELOCITY = tf.constant([1.0, 2.0, -1.0], tf.float64), tf.constant([0.1, -0.3, 0.2], tf.float64)


def train_gradient(w):
    return tf.constant([1.0, 4.0, 0.5], tf.float64) * (w - 1.0)


def held_out_loss(w):
    return tf.reduce_sum((w - TARGET) ** 4)


def step(learning_rate, weight_decay, *, decoupled):
    """One step of SGD in the PyTorch form, and the weights that it reaches."""
    decay = weight_decay * START
    velocity = 0.9 * VELOCITY + train_gradient(START) + (0.0 if decoupled else decay)
    return START - learning_rate * velocity - (learning_rate * decay if decoupled else 0.0)


def closed_forms(learning_rate, weight_decay, *, decoupled):
    w = step(learning_rate, weight_decay, decoupled=decoupled)
    with tf.GradientTape() as tape:
        tape.watch(w)
        loss = held_out_loss(w)
    made = WeightStep([keras.Variable(START)], [tape.gradient(loss, w)], [START], [w], learning_rate)
    decay = WeightDecay(weight_decay, coupled=True, dtype="float64", bounds=(1e-3, 10.0))
    return tuple(float(part.log_gradient(made)) for part in (LearningRate(learning_rate, dtype="float64"), decay))


@pytest.mark.parametrize("decoupled", [True, False])
def test_closed_forms_equal_autodiff_and_differences(decoupled):  # A3
    found = closed_forms(0.05, 1.0, decoupled=decoupled)
    logs = [tf.Variable(tf.math.log(tf.constant(value, tf.float64))) for value in (0.05, 1.0)]
    with tf.GradientTape() as tape:
        loss = held_out_loss(step(tf.exp(logs[0]), tf.exp(logs[1]), decoupled=decoupled))
    np.testing.assert_allclose(found, tape.gradient(loss, logs), rtol=1e-12)
    h = 1e-5
    value = lambda a, b: float(held_out_loss(step(0.05 * np.exp(a), np.exp(b), decoupled=decoupled)))  # noqa: E731
    differences = [(value(h, 0) - value(-h, 0)) / (2 * h), (value(0, h) - value(0, -h)) / (2 * h)]
    np.testing.assert_allclose(found, differences, rtol=1e-6)


@pytest.mark.parametrize("make", [keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.RMSprop])
def test_learning_rate_gradient_is_exact_for_keras_optimizers_whose_step_is_in_proportion_to_it(make):
    def loss_at(learning_rate):
        weight = keras.Variable(START, dtype="float64")
        make(learning_rate=learning_rate).apply([train_gradient(START)], [weight])
        with tf.GradientTape() as tape:
            loss = held_out_loss(weight.value)
        made = WeightStep([weight], [tape.gradient(loss, weight.value)], [START], [weight.value], learning_rate)
        return float(loss), float(LearningRate(learning_rate).log_gradient(made))

    # The optimizers keep their learning rate in float32, hence the wide difference and tolerance.
    h = 1e-3
    difference = (loss_at(0.05 * np.exp(h))[0] - loss_at(0.05 * np.exp(-h))[0]) / (2 * h)
    assert loss_at(0.05)[1] == pytest.approx(difference, rel=1e-3)
