"""A system, and what it is to do."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_dha.control.cart_pole import CartPole
from keras_dha.control.dynamics import Dynamics
from keras_dha.control.quadratic_cost import QuadraticCost
from keras_dha.control.vehicle import Vehicle


class Trajectory(NamedTuple):
    """What was done, and what came of it.

    Args:
        states: Shape `(num_steps, num_states)`; each is the state that the action of its row is taken in.
        actions: Shape `(num_steps, num_actions)`.
        cost: Of the task; infinite if a number is not finite.
    """

    states: np.ndarray
    actions: np.ndarray
    cost: float

    @property
    def transitions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States, actions, and the states one step later: a row less than there are steps."""
        return self.states[:-1], self.actions[:-1], self.states[1:]


class Gains(NamedTuple):
    """What iLQR answers: `u = u_plan + feedback (x - x_plan) + share * change`.

    Args:
        feedback: Shape `(num_steps, num_actions, num_states)`.
        change: Shape `(num_steps, num_actions)`.
    """

    feedback: np.ndarray
    change: np.ndarray


@dataclasses.dataclass(frozen=True)
class Task:
    """What a controller is asked: from `start`, `num_steps` actions of low cost.

    Args:
        system: The real one, which answers actions by states.
        cost: Of states and actions.
        start: The first state, `num_states` numbers.
        num_steps: How many actions there are. The last one has a cost, but what comes of it has none.
        lowest: For each number of an action, the lowest that is tried when the system is first measured.
        highest: The highest.
        noise: The standard deviation of what is added to actions where more measurements are needed.

    Raises:
        ValueError: If sizes do not fit the system, or a range is empty.
    """

    system: Dynamics
    cost: QuadraticCost
    start: Sequence[float]
    num_steps: int
    lowest: Sequence[float]
    highest: Sequence[float]
    noise: Sequence[float]

    def __post_init__(self) -> None:
        if not isinstance(self.num_steps, int) or self.num_steps < 2:
            raise ValueError(f"num_steps must be an integer, 2 or more. Received: num_steps={self.num_steps!r}.")
        sizes = {"start": self.system.num_states}
        sizes |= dict.fromkeys(("lowest", "highest", "noise"), self.system.num_actions)
        for name, size in sizes.items():
            if np.shape(getattr(self, name)) != (size,):
                raise ValueError(
                    f"{name} must have {size} numbers for {type(self.system).__name__}. "
                    f"Received: {name}={getattr(self, name)}. Correct it."
                )
        if not np.all(np.asarray(self.lowest) < np.asarray(self.highest)):
            raise ValueError(
                "lowest must be below highest in each number of an action. "
                f"Received: lowest={self.lowest}, highest={self.highest}. Exchange them."
            )

    def rollout(self, actions: np.ndarray, plan: Trajectory | None = None, gains: Gains | None = None) -> Trajectory:
        """Acts on the system.

        Args:
            actions: Shape `(num_steps, num_actions)`.
            plan: With `gains`: `feedback (x - x_plan)` is added to the actions.
            gains: See `plan`.

        Returns:
            The states that were seen, and the actions that were taken.
        """
        state, states, taken = np.asarray(self.start, float), [], []
        for t, action in enumerate(np.asarray(actions, float)):
            if plan is not None and gains is not None:
                with np.errstate(invalid="ignore", over="ignore"):
                    action = action + gains.feedback[t] @ (state - plan.states[t])
            states.append(state)
            taken.append(action)
            state = self.system.step(state, action)
        found = np.stack(states), np.stack(taken)
        return Trajectory(*found, self.cost.of(*found))


def vehicle_tracking(system: Vehicle | None = None, start: Sequence[float] = (0.0, 0.0, 0.0, 0.0)) -> Task:
    """A car comes to the line `py = -10`, and drives along it at 8 metres a second: 100 steps of 0.1 seconds.

    Args:
        system: Another car, such as one of wrong numbers.
        start: The first state.
    """
    cost = QuadraticCost([0.0, 1.0, 1.0, 1.0, 10.0, 10.0], [0.0, -10.0, 0.0, 8.0, 0.0, 0.0])
    return Task(system or Vehicle(), cost, start, 100, (-1.0, -3.0), (1.0, 3.0), (0.01, 0.1))


def cart_pole_swing_up(system: CartPole | None = None) -> Task:
    """A pole that hangs swings up and stands: 150 steps of 0.02 seconds.

    Args:
        system: Another one, such as one of wrong numbers.
    """
    cost = QuadraticCost([1.0, 0.1, 1.0, 1.0, 0.1], last_weights=[1e4, 1e3, 0.0, 0.0, 0.0])
    return Task(system or CartPole(), cost, (np.pi, 0.0, 0.0, 0.0), 150, (-15.0,), (15.0,), (1.0,))
