"""Which network learns a system."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_dha.control.learned_dynamics import Scales
from keras_dha.recipes import Recipe, gdas
from keras_dha.schedules import Schedule
from keras_dha.search_model import SearchModel
from keras_dha.spaces import DenseSpace, SearchSpace


def dense_network(num_inputs: int, num_outputs: int, widths: Sequence[int] = (128, 64)) -> keras.Model:
    """Layers of tanh, and a matrix: what is trained where no network is searched."""
    hidden = [keras.layers.Dense(width, activation="tanh") for width in widths]
    return keras.Sequential([keras.Input((num_inputs,)), *hidden, keras.layers.Dense(num_outputs)])


def space_of_dynamics(num_states: int, num_actions: int) -> DenseSpace:
    """One to three layers of 32, 64 or 128 units, each with its own activation; the network above is a point of it."""
    return DenseSpace((num_states + num_actions,), num_states, widths=(32, 64, 128))


def searched_network(
    states: np.ndarray,
    actions: np.ndarray,
    later: np.ndarray,
    *,
    space: SearchSpace | None = None,
    recipe: Recipe | None = None,
    epochs: int = 30,
    batch_size: int = 256,
    seed: int = 0,
) -> tuple[keras.Model, SearchModel]:
    """A network for `LearnedDynamics`: its widths, activations and depth are found in one fit.

    Args:
        states: Shape `(rows, num_states)`.
        actions: Shape `(rows, num_actions)`.
        later: The states one step later.
        space: Of networks from `num_states + num_actions` numbers to `num_states`. Default: `space_of_dynamics`.
        recipe: The method; by default GDAS, which runs one option of each choice in a step.
        epochs: Of the search and of settling, half of them each.
        batch_size: All rows, if there are fewer.
        seed: Of `SearchModel`.

    Returns:
        The derived network, trained on these measurements in their `Scales`; and the search.
    """
    scales = Scales.of(states, actions, later)
    space = space or space_of_dynamics(states.shape[-1], actions.shape[-1])
    schedule = Schedule(search_fraction=0.5, warmup_fraction=0.0)
    search = SearchModel(space, recipe or gdas(), schedule=schedule, seed=seed)
    search.compile(keras.optimizers.Adam(2e-3))
    x, y = scales.inputs(states, actions), scales.targets(states, later)
    search.fit(x, y, batch_size=min(batch_size, len(x)), epochs=epochs, verbose=0)
    return search.derive(), search
