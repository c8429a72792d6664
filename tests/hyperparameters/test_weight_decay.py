import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.hyperparameters import WeightDecay
from keras_dha.optimizers import MomentumSGD


def weights():
    return [keras.Variable([[2.0, -4.0]]), keras.Variable([3.0]), keras.Variable([[1.0]])]


GRADIENTS = [np.array([[1.0, 1.0]], "float32"), np.array([1.0], "float32"), None]


def test_decoupled_decay_shrinks_kernels_that_have_a_gradient():
    variables = weights()
    gradients = WeightDecay(0.5, bounds=(0.1, 1.0)).apply(variables, GRADIENTS, learning_rate=0.5)
    assert all(a is b for a, b in zip(gradients, GRADIENTS))
    for variable, expected in zip(variables, ([[1.5, -3.0]], [3.0], [[1.0]])):
        np.testing.assert_allclose(variable.numpy(), expected)


def test_coupled_decay_is_added_to_all_gradients_that_are_there():
    variables = weights()
    gradients = WeightDecay(0.5, bounds=(0.1, 1.0), coupled=True).apply(variables, GRADIENTS, learning_rate=0.5)
    np.testing.assert_allclose(gradients[0], [[2.0, -1.0]])
    np.testing.assert_allclose(gradients[1], [2.5])
    assert gradients[2] is None
    np.testing.assert_allclose(variables[0].numpy(), [[2.0, -4.0]])


@pytest.mark.parametrize(("coupled", "expected"), [(False, [True, False, True]), (True, [True, True, True])])
def test_it_acts_on_what_decays(coupled, expected):
    part = WeightDecay(0.2, bounds=(0.1, 1.0), coupled=coupled)
    assert [part.acts_on(weight) for weight in weights()] == expected


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("make", [lambda: keras.optimizers.SGD(0.1, momentum=0.9), lambda: MomentumSGD(0.1)])
def test_hypergradient_is_the_derivative_of_a_whole_step(make, coupled):  # A3
    target, start = np.array([[1.0, -1.0]]), [[2.0, -4.0]]

    def last_step(value):
        """The part and the weights after a step with `value`, which follows one that gave the optimizer a velocity."""
        part, optimizer = WeightDecay(0.5, bounds=(0.01, 10.0), coupled=coupled, dtype="float64"), make()
        weight = keras.Variable(start, dtype="float64")
        for decay in (0.5, value):
            weight.assign(start)
            part.assign(decay)
            optimizer.apply(part.apply([weight], [tf.constant([[4.0, -8.0]], tf.float64)], 0.1), [weight])
        return part, weight.numpy()

    part, new = last_step(0.5)
    found = float(part.hypergradient([4 * (new - target) ** 3], [new - start], [np.array(start)], 0.1))
    h = 1e-4
    losses = [np.sum((last_step(0.5 * np.exp(sign * h))[1] - target) ** 4) for sign in (1, -1)]
    assert found == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-6)


def test_two_replicas_decay_alike():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        part, weight = WeightDecay(0.5, bounds=(0.1, 1.0)), keras.Variable([[2.0]])

    @tf.function
    def step():
        def replica():
            part.apply([weight], [tf.ones((1, 1))], 0.5)
            return tf.identity(weight.value)

        return strategy.run(replica)

    np.testing.assert_allclose(np.array(step().values).ravel(), [1.5, 1.5])


def test_config_keeps_the_form():
    assert WeightDecay.from_config(WeightDecay(coupled=True).get_config()).coupled


def test_a_variable_that_is_not_active_does_not_decay() -> None:
    first, second = (keras.Variable(np.array([[4.0]])) for _ in range(2))
    active = [tf.constant(True), tf.constant(False)]
    WeightDecay(0.5, bounds=(0.1, 1.0)).apply([first, second], [[[1.0]], [[1.0]]], 0.5, active)
    assert float(first[0, 0]) == 3.0  # 4 - 0.5 * 0.5 * 4
    assert float(second[0, 0]) == 4.0
