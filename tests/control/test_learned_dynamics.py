from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.control import LearnedDynamics, Measurements, Vehicle, vehicle_tracking
from keras_dha.control.dynamics import central_differences
from keras_dha.control.learned_dynamics import Scales
from keras_dha.control.measurements import random_rollouts
from keras_dha.control.network_search import dense_network

RNG = np.random.default_rng(0)
STATES, ACTIONS = RNG.normal(size=(64, 2)), RNG.normal(size=(64, 1))
MATRIX = np.array([[0.1, 0.0, 1.0], [-0.2, 0.3, 0.0]])
LATER = STATES + np.concatenate([STATES, ACTIONS], axis=-1) @ MATRIX.T
LINE = STATES, ACTIONS, LATER


def linear() -> LearnedDynamics:
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    return LearnedDynamics(network, 2, learning_rate=0.05, batch_size=16)


def test_scales_are_those_of_the_measurements() -> None:
    scales = Scales.of(3.0 + 2.0 * STATES, ACTIONS, 3.0 + 2.0 * LATER)
    inputs = scales.inputs(3.0 + 2.0 * STATES, ACTIONS)
    targets = scales.targets(3.0 + 2.0 * STATES, 3.0 + 2.0 * LATER)
    for rows, width in ((inputs, 3), (targets, 2)):
        assert rows.shape == (64, width)
        assert rows.dtype == "float32"
        np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(rows.std(axis=0), 1.0, rtol=1e-5)


def test_what_never_changes_has_a_scale_too() -> None:
    scales = Scales.of(np.ones((4, 2)), np.ones((4, 1)), np.ones((4, 2)))
    assert np.isfinite(scales.inputs(np.zeros((1, 2)), np.zeros((1, 1)))).all()


def test_scales_are_taken_anew_where_they_have_doubled() -> None:
    model = linear()
    assert model.adapt(*LINE)
    assert not model.adapt(1.9 * STATES, ACTIONS, 1.9 * LATER)
    for share in (2.1, 1 / 2.1):
        model.scales = Scales.of(*LINE)
        assert model.adapt(share * STATES, ACTIONS, share * LATER)


def test_a_linear_system_is_learned_by_a_matrix() -> None:
    model = linear()
    model.adapt(*LINE)
    first = model.fit(*LINE, epochs=1)
    loss = model.fit(*LINE, epochs=150)
    assert loss < 1e-6 < first
    np.testing.assert_allclose(model.step(STATES, ACTIONS), LATER, atol=5e-3)
    expected = np.broadcast_to(np.eye(2, 3) + MATRIX, (64, 2, 3))
    np.testing.assert_allclose(model.jacobian(STATES, ACTIONS), expected, atol=5e-3)


@pytest.mark.parametrize("normalized", [False, True])
def test_the_jacobian_is_that_of_differences(normalized: bool) -> None:
    """Also behind a batch normalization, whose rows do not mix in inference mode."""
    network = dense_network(3, 2, (8, 8))
    if normalized:
        layers = [keras.Input((3,)), keras.layers.Dense(8), keras.layers.BatchNormalization()]
        network = keras.Sequential([*layers, keras.layers.Activation("tanh"), keras.layers.Dense(2)])
    model = LearnedDynamics(network, 2)
    model.adapt(*LINE)
    model.fit(*LINE, epochs=3)
    found = model.jacobian(STATES, ACTIONS)
    np.testing.assert_allclose(found, central_differences(model, STATES, ACTIONS, width=0.02), atol=2e-3)
    np.testing.assert_allclose(model.jacobian(STATES[:1], ACTIONS[:1]), found[:1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.jacobian(STATES[0], ACTIONS[0]), found[0], rtol=1e-4, atol=1e-6)


def test_training_goes_on_as_from_one_piece() -> None:
    whole, pieces = linear(), linear()
    pieces.network.set_weights(whole.network.get_weights())
    for model, parts in ((whole, (4,)), (pieces, (1, 3))):
        model.adapt(*LINE)
        for epochs in parts:
            model.fit(*LINE, epochs=epochs)
    for one, other in zip(whole.network.get_weights(), pieces.network.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_batch_is_not_larger_than_the_rows() -> None:
    model = LearnedDynamics(dense_network(3, 2, (4,)), 2, batch_size=1000)
    model.adapt(*LINE)
    assert np.isfinite(model.fit(*LINE, epochs=1))


def test_the_error_of_the_jacobian_falls_while_it_is_trained() -> None:
    task, seen = vehicle_tracking(), Measurements(10)
    seen.add(random_rollouts(task, 10, np.random.default_rng(0)))
    rows = seen.transitions()
    model = LearnedDynamics(dense_network(6, 4, (32, 32)), 4, batch_size=64)
    model.adapt(*rows)
    errors = []
    for epochs in (2, 100):
        model.fit(*rows, epochs=epochs)
        errors.append(np.abs(model.jacobian(*rows[:2]) - Vehicle().jacobian(*rows[:2])).mean())
    assert errors[0] > 1.5 * errors[1], errors


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4, 2)], ids=str)
def test_a_network_is_made_for_its_system(shape: Any) -> None:
    num_states, num_outputs = shape
    if num_states == num_outputs:
        num_states = 4  # no room for an action
    with pytest.raises(ValueError, match=r"Received: input_shape=\(None, 3\), output_shape=\(None, "):
        LearnedDynamics(dense_network(3, num_outputs, (4,)), num_states)


def test_scales_come_first() -> None:
    for ask in (linear().jacobian, linear().step):
        with pytest.raises(ValueError, match="Received: scales=None"):
            ask(STATES, ACTIONS)
