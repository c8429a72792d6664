"""What a trajectory costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class QuadraticCost:
    """`sum_t (z_t - r)' D_t (z_t - r)`, `z = (x, u)`, with diagonal `D`; without a factor of one half.

    So the second derivative of a step is `2 D`, and the first one `2 D (z - r)`.

    Args:
        weights: The diagonal of `D`: one number, 0 or more, for each number of a state, then of an action.
        target: `r`, likewise. Default: zeros.
        last_weights: The diagonal of the last step, if it is another one.

    Raises:
        ValueError: If weights are negative or not finite, or lengths differ.

    Example:

    >>> cost = QuadraticCost([1.0, 2.0], [0.0, 3.0])
    >>> cost.of(np.array([[1.0], [1.0]]), np.array([[3.0], [4.0]]))  # (1 + 0) + (1 + 2 * 1)
    4.0
    """

    def __init__(
        self,
        weights: Sequence[float],
        target: Sequence[float] | None = None,
        *,
        last_weights: Sequence[float] | None = None,
    ) -> None:
        self.weights = _checked("weights", weights, None, 0.0)
        size = len(self.weights)
        self.target = np.zeros(size) if target is None else _checked("target", target, size, -np.inf)
        self.last_weights = self.weights if last_weights is None else _checked("last_weights", last_weights, size, 0.0)

    def of(self, states: np.ndarray, actions: np.ndarray) -> float:
        """The cost of a trajectory; infinite if any number of it is not finite.

        Args:
            states: Shape `(num_steps, num_states)`.
            actions: Shape `(num_steps, num_actions)`.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            away = np.concatenate([states, actions], axis=-1) - self.target
            found = float(np.sum(self._diagonals(len(away)) * away**2))
        return found if np.isfinite(found) else np.inf

    def derivatives(self, states: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Second and first derivatives at each step.

        Returns:
            Shapes `(num_steps, k, k)` and `(num_steps, k)`, with `k` numbers in `z`.
        """
        diagonals = 2.0 * self._diagonals(len(states))
        away = np.concatenate([states, actions], axis=-1) - self.target
        return diagonals[:, :, None] * np.eye(len(self.weights)), diagonals * away

    def _diagonals(self, num_steps: int) -> np.ndarray:
        found = np.tile(self.weights, (num_steps, 1))
        found[-1] = self.last_weights
        return found


def _checked(name: str, values: Any, size: int | None, lowest: float) -> np.ndarray:
    array = np.asarray(values, float)
    if array.ndim != 1 or size not in (None, len(array)) or not np.isfinite(array).all() or (array < lowest).any():
        sign = "" if np.isinf(lowest) else ", 0 or more"
        raise ValueError(
            f"{name} must be {'' if size is None else f'{size} '}finite numbers{sign}, one for each number of a state "
            f"and of an action. Received: {name}={values}. Correct them."
        )
    return array
