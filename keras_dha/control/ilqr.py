"""Iterative LQR."""

import dataclasses
from typing import NamedTuple

import numpy as np

from keras_dha.control.backward_pass import backward_pass
from keras_dha.control.dynamics import Dynamics
from keras_dha.control.task import Gains, Task, Trajectory


class Solution(NamedTuple):
    """What a solver found.

    Args:
        trajectory: The best one.
        gains: Those that led to its last improvement, for feedback along it.
        costs: Of the best trajectory, before the first iteration and after each; they never rise.
        num_rollouts: How often the system of the task was run from its start.
    """

    trajectory: Trajectory
    gains: Gains
    costs: list[float]
    num_rollouts: int


@dataclasses.dataclass(frozen=True)
class LineSearch:
    """Tries the whole change of the actions, then `factor`, `factor^2`, ... of it, until the cost falls.

    Args:
        factor: Number in (0, 1). Defaults to 0.5.
        num_tries: How often at most. Defaults to 10.

    Raises:
        ValueError: If a number is out of its range.
    """

    factor: float = 0.5
    num_tries: int = 10

    def __post_init__(self) -> None:
        if not 0.0 < self.factor < 1.0 or self.num_tries < 1:
            raise ValueError(
                "factor must be between 0 and 1, and num_tries at least 1. "
                f"Received: factor={self.factor}, num_tries={self.num_tries}. Leave them out."
            )

    def better(self, task: Task, plan: Trajectory, gains: Gains) -> tuple[Trajectory, int]:
        """The first trajectory of lower cost, on the system of the task, or the plan itself; and how many were run."""
        for i in range(self.num_tries):
            found = task.rollout(plan.actions + self.factor**i * gains.change, plan, gains)
            if found.cost < plan.cost:
                return found, i + 1
        return plan, self.num_tries


def gains_at(task: Task, plan: Trajectory, jacobians: np.ndarray, *, damping: float = 0.0) -> Gains:
    """What iLQR answers at a trajectory, with these derivatives of the dynamics, `(num_steps, n, n + m)`."""
    return backward_pass(jacobians, *task.cost.derivatives(plan.states, plan.actions), damping=damping)


class ILQR:
    """Improves a trajectory, again and again, by the linear-quadratic problem at it: for systems of known equations.

    `model` and the system of the task are one thing, unless the model is wrong: then derivatives are those of the
    model, while trajectories are run on the system.

    Args:
        model: Whose derivatives are taken. None: the system's own.
        iterations: At most so many. Defaults to 500.
        tolerance: The search ends where the cost falls by less. Defaults to 1e-6.
        line_search: Defaults to `LineSearch()`.

    Example:

    >>> solution = ILQR().solve(vehicle_tracking())
    >>> round(solution.trajectory.cost, 1)
    4503.2
    """

    def __init__(
        self,
        model: Dynamics | None = None,
        *,
        iterations: int = 500,
        tolerance: float = 1e-6,
        line_search: LineSearch | None = None,
    ) -> None:
        self.model, self.iterations, self.tolerance = model, int(iterations), float(tolerance)
        self.line_search = line_search or LineSearch()

    def solve(self, task: Task, actions: np.ndarray | None = None) -> Solution:
        """A trajectory of low cost.

        Args:
            task: What is asked.
            actions: Where to start, shape `(num_steps, num_actions)`. Default: zeros.
        """
        model = self.model or task.system
        begin = np.zeros((task.num_steps, task.system.num_actions)) if actions is None else actions
        best, rollouts = task.rollout(begin), 1
        costs = [best.cost]
        while True:
            gains = gains_at(task, best, model.jacobian(best.states, best.actions))
            if len(costs) > self.iterations or (len(costs) > 1 and costs[-2] - costs[-1] < self.tolerance):
                return Solution(best, gains, costs, rollouts)
            best, tries = self.line_search.better(task, best, gains)
            rollouts += tries
            costs.append(best.cost)
