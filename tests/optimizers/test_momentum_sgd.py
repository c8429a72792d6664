import keras
import numpy as np
import pytest

from keras_dha.optimizers import MomentumSGD


def run(optimizer, gradients, rates=None):
    """The weight after each gradient, from 1."""
    weight, found = keras.Variable([1.0], dtype="float64"), []
    for i, gradient in enumerate(gradients):
        if rates is not None:
            optimizer.learning_rate = rates[i]
        optimizer.apply([np.array([gradient])], [weight])
        found.append(float(weight.numpy()[0]))
    return found


def test_two_steps_by_hand():
    # v = 1, w = 0.5; v = 1.5, w = -0.25
    assert run(MomentumSGD(0.5, momentum=0.5), [1.0, 1.0]) == [0.5, -0.25]


def test_nesterov_by_hand():
    # v = 1, step 1.5; v = 1.5, step 1.75
    assert run(MomentumSGD(0.5, momentum=0.5, nesterov=True), [1.0, 1.0]) == [0.25, -0.625]


@pytest.mark.parametrize("nesterov", [False, True])
def test_equals_keras_sgd_as_long_as_the_rate_is_constant(nesterov):  # R1
    gradients = [1.0, -2.0, 0.5, 3.0, -1.0]
    ours = run(MomentumSGD(0.125, momentum=0.5, nesterov=nesterov), gradients)
    np.testing.assert_allclose(ours, run(keras.optimizers.SGD(0.125, momentum=0.5, nesterov=nesterov), gradients))


def test_a_new_rate_acts_on_the_whole_step_at_once():  # R1
    gradients, rates = [1.0, 0.0], [0.5, 0.0]
    assert run(MomentumSGD(0.5, momentum=0.5), gradients, rates) == [0.5, 0.5]
    assert run(keras.optimizers.SGD(0.5, momentum=0.5), gradients, rates) == [0.5, 0.25]  # still moves


def test_the_slope_in_the_rate_is_minus_the_velocity():
    optimizer = MomentumSGD(0.25, momentum=0.5)
    last = run(optimizer, [1.0, 3.0], [0.25, 0.25])[-1]
    velocity = float(optimizer.velocities[0].numpy()[0])
    assert velocity == 3.5
    more = run(MomentumSGD(0.25, momentum=0.5), [1.0, 3.0], [0.25, 0.375])[-1]
    assert (more - last) / 0.125 == -velocity


def test_gradients_are_clipped_together_before_the_velocity():
    weights = [keras.Variable([0.0]), keras.Variable([0.0])]
    MomentumSGD(1.0, global_clipnorm=1.0).apply([np.array([3.0]), np.array([4.0])], weights)
    np.testing.assert_allclose([w.numpy()[0] for w in weights], [-0.6, -0.8], rtol=1e-6)


# Keras saves variables with a call that NumPy 2 does not like.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_velocities_survive_in_a_model_s_file(tmp_path):
    def model():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        model.compile(optimizer=MomentumSGD(0.1, momentum=0.8, nesterov=True), loss="mse")
        return model

    first = model()
    first.fit(np.ones((2, 1)), np.zeros((2, 1)), epochs=2, verbose=0)
    first.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.optimizer.get_config() == first.optimizer.get_config()
    np.testing.assert_array_equal(again.optimizer.velocities[0].numpy(), first.optimizer.velocities[0].numpy())
    assert np.abs(first.optimizer.velocities[0].numpy()).max() > 0


def test_wrong_momentum():
    with pytest.raises(ValueError, match=r"Received: momentum=1\.0"):
        MomentumSGD(momentum=1.0)
