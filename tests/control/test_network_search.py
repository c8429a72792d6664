import numpy as np
import pytest

from keras_dha.control import LearnedDynamics, searched_network, space_of_dynamics
from keras_dha.control.learned_dynamics import Scales
from keras_dha.control.network_search import dense_network
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import DenseSpace

RNG = np.random.default_rng(0)
STATES, ACTIONS = RNG.normal(size=(256, 2)), RNG.normal(size=(256, 1))
LATER = STATES + 0.1 * np.tanh(STATES[:, ::-1] + ACTIONS)


def test_what_is_found_has_learned_the_measurements() -> None:
    space = DenseSpace((3,), 2, widths=(4, 16), depths=(1,), activations=("tanh", "relu"))
    network, search = searched_network(STATES, ACTIONS, LATER, space=space, epochs=12, batch_size=16)
    assert search.settled
    assert set(search.decisions()) == {"width_1", "activation_1"}
    scales = Scales.of(STATES, ACTIONS, LATER)
    x, y = scales.inputs(STATES, ACTIONS), scales.targets(STATES, LATER)
    assert network.evaluate(x, y, verbose=0)[0] < 0.7 < np.mean(y**2)
    model = LearnedDynamics(network, 2)
    model.adapt(STATES, ACTIONS, LATER)
    assert np.mean((model.step(STATES, ACTIONS) - LATER) ** 2) < 0.7 * np.mean((LATER - STATES) ** 2)


def test_the_network_of_the_released_code_is_near() -> None:
    """Its widths are 128 and 64, under ReLU and batch normalization; ours are of any activation, and of none."""
    space = space_of_dynamics(4, 2)
    decisions = {choice.name: choice.options[0] for choice in space.choices()}
    decisions |= {"width_1": "128", "width_2": "64", "depth": "1/2", "activation_1": "tanh", "activation_2": "tanh"}
    network = space.without_closed(space.build(FixedChooser(decisions)))
    assert network.count_params() == dense_network(6, 4).count_params()


@pytest.mark.parametrize("widths", [(4,), (4, 3)])
def test_the_network_without_a_search(widths: tuple[int, ...]) -> None:
    network = dense_network(3, 2, widths)
    assert (network.input_shape, network.output_shape) == ((None, 3), (None, 2))
    assert len(network.layers) == len(widths) + 1
