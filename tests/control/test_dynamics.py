"""Contract of systems whose equations are known: their Jacobian is that of their step."""

from typing import Any

import numpy as np
import pytest

from keras_dha.control import CartPole, Dynamics, Vehicle
from keras_dha.control.dynamics import central_differences

SYSTEMS = {"Vehicle": Vehicle, "CartPole": CartPole}
ODD = {
    "Vehicle": {"step_seconds": 0.08, "axle_distance": 2.4},
    "CartPole": {"step_seconds": 0.05, "cart_mass": 2.0, "pole_mass": 0.4, "half_length": 0.7},
}


class Line(Dynamics):
    """One number, to which the action is added twice."""

    num_states, num_actions = 1, 1

    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        return 0.5 * states + 2.0 * actions


def draws(system: Dynamics, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(*shape, system.num_states)), rng.normal(size=(*shape, system.num_actions))


def test_a_system_of_unknown_derivatives_has_differences() -> None:
    np.testing.assert_allclose(Line().jacobian(np.ones((3, 1)), np.ones((3, 1))), [[[0.5, 2.0]]] * 3, rtol=1e-9)


@pytest.mark.parametrize("changes", [{}, ODD], ids=["own", "odd"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_jacobian_is_that_of_differences(name: str, changes: dict[str, Any]) -> None:
    system = SYSTEMS[name](**changes.get(name, {}))
    states, actions = draws(system, 20)
    np.testing.assert_allclose(
        system.jacobian(states, actions), central_differences(system, states, actions), atol=1e-8
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_many_states_are_stepped_as_each_alone(name: str) -> None:
    system = SYSTEMS[name]()
    states, actions = draws(system, 2, 3)
    later, slopes = system.step(states, actions), system.jacobian(states, actions)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(later[place], system.step(states[place], actions[place]))
        np.testing.assert_allclose(slopes[place], system.jacobian(states[place], actions[place]), rtol=1e-14)
    assert slopes.shape == (2, 3, system.num_states, system.num_states + system.num_actions)


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan, "3", True], ids=str)
@pytest.mark.parametrize(("name", "argument"), [(name, argument) for name in ODD for argument in ODD[name]])
def test_numbers_must_be_positive(name: str, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{argument} must be a positive number. Received: {argument}={value!r}"):
        SYSTEMS[name](**{argument: value})


def test_a_car_drives_on_a_circle() -> None:
    """Its rear axle, of radius `d / tan w`; steps are the finer, the rounder."""
    car, state = Vehicle(step_seconds=1e-3), np.array([0.0, 0.0, 0.0, 1.0])
    radius = car.axle_distance / np.tan(0.5)
    for _ in range(2000):
        state = car.step(state, np.array([0.5, 0.0]))
    # The way is that of the front wheels, 1 metre a second: the rear axle goes cos w of it.
    turned = 2.0 * np.cos(0.5) / radius
    np.testing.assert_allclose(state, [radius * np.sin(turned), radius * (1 - np.cos(turned)), turned, 1.0], atol=2e-3)


def test_a_car_cannot_go_further_aside_than_it_is_long() -> None:
    assert np.isnan(Vehicle().step(np.array([0.0, 0.0, 0.0, 50.0]), np.array([1.0, 0.0]))[2])


def test_a_pole_that_leans_falls_and_a_cart_that_is_pushed_goes() -> None:
    fallen = CartPole().step(np.array([0.1, 0.0, 0.0, 0.0]), np.zeros(1))
    assert fallen[1] > 0.0
    pushed = CartPole().step(np.zeros(4), np.ones(1))
    assert pushed[3] > 0.0 > pushed[1]  # the pole stays behind
    # gm = 1 / 1.1; twist = -gm / (0.5 (4/3 - 0.1 / 1.1))
    np.testing.assert_allclose(pushed[1], -0.02 / 1.1 / (0.5 * (4 / 3 - 0.1 / 1.1)), rtol=1e-12)
