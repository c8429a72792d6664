import numpy as np
import pytest

from keras_dha.control import QuadraticCost, backward_pass

COST = QuadraticCost([1.0, 1.0])


def test_one_step_undoes_its_action() -> None:
    """Nothing comes of the last action: it should be zero."""
    gains = backward_pass(np.ones((1, 1, 2)), *COST.derivatives(np.array([[3.0]]), np.array([[2.0]])))
    np.testing.assert_allclose(gains.change, [[-2.0]], rtol=1e-8)
    np.testing.assert_allclose(gains.feedback, [[[0.0]]])


def test_two_steps_by_hand() -> None:
    """`x + u` later, cost `x^2 + u^2 + (x + u)^2`: least at `u = -x / 2`."""
    states, actions = np.array([[4.0], [4.0]]), np.zeros((2, 1))
    gains = backward_pass(np.ones((2, 1, 2)), *COST.derivatives(states, actions))
    np.testing.assert_allclose(gains.feedback[0], [[-0.5]], rtol=1e-8)
    np.testing.assert_allclose(gains.change[0], [-2.0], rtol=1e-8)


def test_many_steps_come_to_the_golden_ratio() -> None:
    """The feedback of `x + u` at cost `x^2 + u^2` without end: `V = 1 + V / (1 + V)`, `K = -V / (1 + V)`."""
    gains = backward_pass(np.ones((40, 1, 2)), *COST.derivatives(np.ones((40, 1)), np.zeros((40, 1))))
    ratio = (1 + 5**0.5) / 2
    np.testing.assert_allclose(gains.feedback[0], [[-ratio / (1 + ratio)]], rtol=1e-6)


def test_damping_makes_changes_smaller() -> None:
    derivatives = COST.derivatives(np.array([[3.0]]), np.array([[2.0]]))  # Quu = 2, qu = 4
    for damping, change in ((2.0, -1.0), (6.0, -0.5)):
        gains = backward_pass(np.ones((1, 1, 2)), *derivatives, damping=damping)
        assert gains.change[0, 0] == pytest.approx(change)


def test_an_action_without_cost_and_consequence_stays() -> None:
    cost = QuadraticCost([1.0, 1.0], last_weights=[1.0, 0.0])
    gains = backward_pass(np.ones((2, 1, 2)), *cost.derivatives(np.ones((2, 1)), np.ones((2, 1))))
    assert gains.change[1, 0] == 0.0
    assert np.isfinite(gains.change).all()


def test_the_value_is_that_of_the_problem_solved_as_one() -> None:
    """Random systems of two states and two actions: all actions at once, by least squares."""
    rng = np.random.default_rng(0)
    num_steps, dynamics = 4, rng.normal(size=(4, 2, 4))
    cost = QuadraticCost([1.0, 2.0, 1.0, 3.0], rng.normal(size=4))

    def states_of(actions: np.ndarray) -> np.ndarray:
        state, found = np.ones(2), []
        for t in range(num_steps):
            found.append(state)
            state = dynamics[t] @ np.concatenate([state, actions[t]])
        return np.stack(found)

    zero = np.zeros((num_steps, 2))
    gains, state, best = backward_pass(dynamics, *cost.derivatives(states_of(zero), zero)), np.ones(2), []
    for t in range(num_steps):
        best.append(gains.change[t] + gains.feedback[t] @ (state - states_of(zero)[t]))
        state = dynamics[t] @ np.concatenate([state, best[-1]])
    found = cost.of(states_of(np.stack(best)), np.stack(best))
    for _ in range(50):
        other = np.stack(best) + 1e-2 * rng.normal(size=(num_steps, 2))
        assert cost.of(states_of(other), other) > found
