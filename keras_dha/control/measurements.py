"""What was seen of a system."""

import collections
from collections.abc import Iterable

import numpy as np

from keras_dha.control.task import Task, Trajectory

Transitions = tuple[np.ndarray, np.ndarray, np.ndarray]


class Measurements:
    """The last rollouts of a system, oldest first; a new one takes the place of the oldest.

    Args:
        size: How many rollouts are kept at most; a positive integer.

    Raises:
        ValueError: If it is none.
    """

    def __init__(self, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"size must be a positive integer. Received: size={size!r}. Keep 100 rollouts, say.")
        self._rollouts: collections.deque[Trajectory] = collections.deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._rollouts)

    def add(self, rollouts: Iterable[Trajectory]) -> None:
        """Takes rollouts in, but those that have diverged: a network could learn nothing from numbers like these."""
        self._rollouts.extend(rollout for rollout in rollouts if np.isfinite(rollout.cost))

    def transitions(self) -> Transitions:
        """States, actions and the states one step later, of all rollouts; the end of one never meets another's start.

        Returns:
            Shapes `(rows, num_states)`, `(rows, num_actions)` and `(rows, num_states)`.

        Raises:
            ValueError: If there are none.
        """
        if not self._rollouts:
            raise ValueError(
                "There must be a rollout that did not diverge. Received: rollouts=0. Try smaller actions: lowest and "
                "highest of the task."
            )
        states, actions, later = zip(*(rollout.transitions for rollout in self._rollouts))
        return np.concatenate(states), np.concatenate(actions), np.concatenate(later)


def random_rollouts(task: Task, number: int, rng: np.random.Generator) -> list[Trajectory]:
    """The system, from the start, under actions drawn uniformly between `task.lowest` and `task.highest`."""
    size = (task.num_steps, task.system.num_actions)
    return [task.rollout(rng.uniform(task.lowest, task.highest, size)) for _ in range(number)]
