import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.hyperparameters import WeightDecay, WeightStep
from keras_dha.optimizers import MomentumSGD, SelectiveUpdate


def weights():
    return [keras.Variable([[2.0, -4.0]]), keras.Variable([3.0]), keras.Variable([[1.0]])]


def test_decoupled_decay_is_a_share_of_the_weights():
    assert float(WeightDecay(0.5, bounds=(0.1, 1.0)).shrinkage(0.5)) == 0.25


def test_coupled_decay_is_added_to_the_gradients():
    part = WeightDecay(0.5, bounds=(0.1, 1.0), coupled=True)
    gradients = part.added(weights()[:2], [np.array([[1.0, 1.0]], "float32"), np.array([1.0], "float32")])
    np.testing.assert_allclose(gradients[0], [[2.0, -1.0]])
    np.testing.assert_allclose(gradients[1], [2.5])


@pytest.mark.parametrize(("coupled", "expected"), [(False, [True, False, True]), (True, [True, True, True])])
def test_it_acts_on_what_decays(coupled, expected):
    part = WeightDecay(0.2, bounds=(0.1, 1.0), coupled=coupled)
    assert [part.acts_on(weight) for weight in weights()] == expected


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("make", [lambda: keras.optimizers.SGD(0.1, momentum=0.9), lambda: MomentumSGD(0.1)])
def test_hypergradient_is_the_derivative_of_a_whole_step(make, coupled):  # A3
    target, start = np.array([[1.0, -1.0]]), [[2.0, -4.0]]

    def last_step(value):
        """The part and the weight after a step with `value`, which follows one that gave the optimizer a velocity."""
        part = WeightDecay(0.5, bounds=(0.01, 10.0), coupled=coupled, dtype="float64")
        weight = keras.Variable(start, dtype="float64")
        update = SelectiveUpdate(make(), [weight])
        for decay in (0.5, value):
            weight.assign(start)
            part.assign(decay)
            gradients = [tf.constant([[4.0, -8.0]], tf.float64)]
            if coupled:
                gradients = part.added([weight], gradients)
            update.apply(gradients, [weight], [True], None if coupled else [part.shrinkage(0.1)])
        return part, weight

    part, weight = last_step(0.5)
    new = weight.numpy()
    found = float(part.hypergradient(WeightStep([weight], [4 * (new - target) ** 3], [np.array(start)], [new], 0.1)))
    h = 1e-4
    losses = [np.sum((last_step(0.5 * np.exp(sign * h))[1].numpy() - target) ** 4) for sign in (1, -1)]
    assert found == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-6)


def test_config_keeps_the_form():
    assert WeightDecay.from_config(WeightDecay(coupled=True).get_config()).coupled


@pytest.mark.parametrize(("value", "expected"), [(10.0, 0.5), (0.4, 0.4)])
def test_a_decay_that_takes_too_much_is_lowered_to_what_it_may(value, expected):
    part = WeightDecay(value, bounds=(0.1, 10.0))
    part.restrain(0.1)  # a twentieth in a step, at most
    assert float(part.value()) == pytest.approx(expected)


@pytest.mark.parametrize("given", [{"max_shrinkage": None}, {"coupled": True}])
def test_a_decay_that_may_do_anything_stays(given):
    part = WeightDecay(10.0, bounds=(0.1, 10.0), **given)
    part.restrain(0.1)
    assert float(part.value()) == pytest.approx(10.0)


def test_max_shrinkage_is_a_share():
    with pytest.raises(ValueError, match=r"Received: max_shrinkage=2"):
        WeightDecay(max_shrinkage=2)
