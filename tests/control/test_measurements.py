from typing import Any

import numpy as np
import pytest

from keras_dha.control import Measurements, Trajectory, vehicle_tracking
from keras_dha.control.measurements import random_rollouts


def rollout(value: float, cost: float = 0.0) -> Trajectory:
    return Trajectory(value + np.arange(3.0)[:, None], np.full((3, 1), value), cost)


def test_the_end_of_a_rollout_never_meets_the_start_of_the_next() -> None:
    seen = Measurements(4)
    seen.add([rollout(0.0), rollout(10.0)])
    states, actions, later = seen.transitions()
    np.testing.assert_array_equal(states[:, 0], [0.0, 1.0, 10.0, 11.0])
    np.testing.assert_array_equal(later[:, 0], [1.0, 2.0, 11.0, 12.0])
    np.testing.assert_array_equal(actions[:, 0], [0.0, 0.0, 10.0, 10.0])


def test_new_ones_take_the_place_of_the_oldest() -> None:
    seen = Measurements(2)
    seen.add([rollout(value) for value in (0.0, 10.0, 20.0)])
    assert len(seen) == 2
    assert seen.transitions()[0][0, 0] == 10.0


def test_what_diverged_is_not_learned_from() -> None:
    seen = Measurements(2)
    seen.add([rollout(0.0, np.inf)])
    with pytest.raises(ValueError, match="Received: rollouts=0"):
        seen.transitions()


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None])
def test_size_is_a_positive_integer(size: Any) -> None:
    with pytest.raises(ValueError, match=f"Received: size={size}"):
        Measurements(size)


def test_random_actions_fill_their_range() -> None:
    task = vehicle_tracking()
    found = random_rollouts(task, 3, np.random.default_rng(0))
    actions = np.concatenate([one.actions for one in found])
    assert (np.abs(actions) <= task.highest).all()
    assert (np.abs(actions).max(axis=0) > 0.95 * np.asarray(task.highest)).all()
    assert all((one.states[0] == task.start).all() for one in found)
    again = random_rollouts(task, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(again[2].states, found[2].states)
