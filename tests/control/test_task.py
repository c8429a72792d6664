import dataclasses
from typing import Any

import numpy as np
import pytest

from keras_dha.control import CartPole, Dynamics, Gains, QuadraticCost, Task, cart_pole_swing_up, vehicle_tracking


class Sum(Dynamics):
    """The sum of all actions so far."""

    num_states, num_actions = 1, 1

    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        return states + actions


def sums(num_steps: int = 3) -> Task:
    return Task(Sum(), QuadraticCost([1.0, 1.0]), (1.0,), num_steps, (-1.0,), (1.0,), (0.1,))


def test_a_rollout_has_the_state_that_each_action_is_taken_in() -> None:
    found = sums().rollout(np.array([[1.0], [2.0], [4.0]]))
    np.testing.assert_array_equal(found.states, [[1.0], [2.0], [4.0]])
    assert found.cost == (1 + 4 + 16) + (1 + 4 + 16)
    states, actions, later = found.transitions
    np.testing.assert_array_equal(states + actions, later)
    assert len(later) == 2


def test_feedback_answers_where_a_plan_is_left() -> None:
    task = sums()
    plan = task.rollout(np.zeros((3, 1)))
    gains = Gains(np.full((3, 1, 1), -1.0), np.zeros((3, 1)))
    found = task.rollout(np.array([[2.0], [0.0], [0.0]]), plan, gains)
    np.testing.assert_array_equal(found.actions, [[2.0], [-2.0], [0.0]])  # back to 1 at once
    np.testing.assert_array_equal(found.states, [[1.0], [3.0], [1.0]])


def test_what_the_tasks_cost_where_nothing_is_done() -> None:
    assert vehicle_tracking().rollout(np.zeros((100, 2))).cost == 100 * (10**2 + 8**2)
    hanging = cart_pole_swing_up().rollout(np.zeros((150, 1)))
    assert hanging.cost == pytest.approx(149 * np.pi**2 + 1e4 * np.pi**2, rel=1e-6)


def test_another_system_may_do_a_task() -> None:
    assert cart_pole_swing_up(CartPole(half_length=0.4)).system.half_length == 0.4
    assert vehicle_tracking(start=(0.0, 0.0, 1.0, 0.0)).start[2] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 1}, "num_steps must be an integer, 2 or more. Received: num_steps=1"),
        ({"start": (1.0, 2.0)}, r"start must have 1 numbers for Sum. Received: start=\(1.0, 2.0\)"),
        ({"noise": ()}, r"noise must have 1 numbers for Sum"),
        ({"lowest": (1.0,)}, r"lowest must be below highest .* Received: lowest=\(1.0,\), highest=\(1.0,\)"),
    ],
    ids=str,
)
def test_what_must_hold(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(sums(), **changes)
