"""What a system does in one step of time."""

import abc

import numpy as np


class Dynamics(abc.ABC):
    """A system in discrete time, `x_next = f(x, u)`: states `x` of `num_states` numbers, actions `u` of `num_actions`.

    Everything is NumPy in float64, and takes one state or many: leading axes are kept. A subclass says what `step` is.
    One that knows its equations overrides `jacobian`, which here takes central differences.

    Attributes:
        num_states: Numbers in a state.
        num_actions: Numbers in an action.
    """

    num_states: int
    num_actions: int

    @abc.abstractmethod
    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """The states one step later.

        Args:
            states: Shape `(..., num_states)`.
            actions: Shape `(..., num_actions)`, with the same leading axes.

        Returns:
            Shape `(..., num_states)`. Where a state is impossible or the numbers overflow, not finite.
        """

    def jacobian(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """The derivative of `step` for `z = (x, u)`, shape `(..., num_states, num_states + num_actions)`."""
        return central_differences(self, states, actions)


def central_differences(system: Dynamics, states: np.ndarray, actions: np.ndarray, width: float = 1e-5) -> np.ndarray:
    """`(f(z + e_i width) - f(z - e_i width)) / (2 width)`, for each number `z_i` of state and action.

    Args:
        system: The system.
        states: Shape `(..., num_states)`.
        actions: Shape `(..., num_actions)`.
        width: How far to both sides, in the units of each number.

    Returns:
        Shape `(..., num_states, num_states + num_actions)`.
    """
    both = np.concatenate([states, actions], axis=-1)
    columns = []
    for i in range(both.shape[-1]):
        ahead, behind = both.copy(), both.copy()
        ahead[..., i] += width
        behind[..., i] -= width
        later, earlier = (system.step(z[..., : states.shape[-1]], z[..., states.shape[-1] :]) for z in (ahead, behind))
        columns.append((later - earlier) / (2.0 * width))
    return np.stack(columns, axis=-1)
