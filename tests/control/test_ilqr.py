"""iLQR of known systems: the numbers that were measured apart, by another implementation (issue 9)."""

import functools
import itertools
from typing import Any

import numpy as np
import pytest

from keras_dha.control import ILQR, CartPole, LineSearch, Solution, Task, Vehicle
from keras_dha.control import cart_pole_swing_up as swing_up
from keras_dha.control import vehicle_tracking as tracking


@functools.cache
def exact(make: Any) -> Solution:
    return ILQR().solve(make())


def test_a_vehicle_with_its_own_equations() -> None:
    costs = exact(tracking).costs
    assert costs[0] == 16400.0
    assert costs[15] == pytest.approx(4503.20, abs=0.05)
    assert costs[-1] == pytest.approx(4503.20, abs=0.005)


def test_a_cart_pole_with_its_own_equations() -> None:
    costs = exact(swing_up).costs
    assert costs[0] == pytest.approx(1.0017e5, rel=1e-4)
    assert costs[135] == pytest.approx(1141.52, abs=0.01)
    assert abs(exact(swing_up).trajectory.states[-1, 0]) < 1e-3


def test_a_vehicle_that_starts_across() -> None:
    costs = ILQR(iterations=160).solve(tracking(start=(0.0, 0.0, np.pi / 2, 0.0))).costs
    assert costs[0] == pytest.approx(16646.74, abs=0.005)
    assert costs[-1] == pytest.approx(5592.41, abs=0.05)


@pytest.mark.parametrize("make", [tracking, swing_up])
def test_costs_never_rise(make: Any) -> None:
    costs = exact(make).costs
    assert all(later <= earlier for earlier, later in itertools.pairwise(costs))
    assert costs[-1] == exact(make).trajectory.cost
    assert exact(make).num_rollouts >= len(costs)


def test_the_search_begins_where_it_is_told_and_ends_there_if_that_is_best() -> None:
    best = exact(tracking).trajectory
    again = ILQR().solve(tracking(), best.actions)
    assert len(again.costs) <= 3
    assert again.trajectory.cost == pytest.approx(best.cost, abs=1e-5)


def judged(task: Task, wrong: Task) -> tuple[float, float, float, float]:
    """What a plan of wrong equations is said to cost; what it does, without feedback, and with it; and line search."""
    plan = ILQR().solve(wrong)
    open_loop = task.rollout(plan.trajectory.actions)
    feedback = task.rollout(plan.trajectory.actions, plan.trajectory, plan.gains)
    return plan.trajectory.cost, open_loop.cost, feedback.cost, ILQR(wrong.system).solve(task).trajectory.cost


@pytest.mark.parametrize(
    ("system", "costs"),
    [
        (Vehicle(axle_distance=2.4), (4388.8, 4665.8, 4506.5, 4506.1)),
        (Vehicle(axle_distance=3.6), (4606.2, 4637.0, 4506.1, 4505.9)),
        (Vehicle(step_seconds=0.08), (5580.8, 10583.9, 4532.1, 4571.1)),
        (Vehicle(step_seconds=0.12), (3779.6, 6215.9, 4523.1, 4506.5)),
    ],
    ids=["d=2.4", "d=3.6", "h=.08", "h=.12"],
)
def test_a_vehicle_with_equations_that_are_a_fifth_off(system: Vehicle, costs: Any) -> None:
    """Where plans end says little of the last digits: a search that goes on by 1e-6 moves them."""
    assert judged(tracking(), tracking(system)) == pytest.approx(costs, rel=5e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "costs"),
    [
        (CartPole(half_length=0.4), (1002.8, 176636.6, 1407.0)),
        (CartPole(half_length=0.6), (1279.8, 1009114.7, 1426.7)),
        (CartPole(pole_mass=0.12), (1147.3, 357148.2, 1141.9)),
    ],
    ids=["l=.4", "l=.6", "mp=.12"],
)
def test_a_cart_pole_with_equations_that_are_a_fifth_off(system: CartPole, costs: Any) -> None:
    """An open loop falls over. Line search may stall, at other places in other implementations."""
    assert judged(swing_up(), swing_up(system))[:3] == pytest.approx(costs, rel=1e-2)


def test_line_search_halves_and_gives_up() -> None:
    task = tracking()
    plan = task.rollout(np.zeros((100, 2)))
    gains = exact(tracking).gains
    backwards = gains._replace(feedback=0.0 * gains.feedback, change=np.tile([0.0, -0.1], (100, 1)))
    assert LineSearch(num_tries=3).better(task, plan, backwards) == (plan, 3)  # braking a car that stands
    forwards = backwards._replace(change=np.tile([0.0, 8.0], (100, 1)))
    found, tries = LineSearch().better(task, plan, forwards)
    assert tries == 4  # 8, 4 and 2 are too fast in 10 seconds
    np.testing.assert_array_equal(found.actions[:, 1], 1.0)


@pytest.mark.parametrize("arguments", [{"factor": 0.0}, {"factor": 1.0}, {"num_tries": 0}], ids=str)
def test_line_search_must_shorten(arguments: Any) -> None:
    with pytest.raises(ValueError, match=f"Received: .*{next(iter(arguments))}={next(iter(arguments.values()))}"):
        LineSearch(**arguments)
