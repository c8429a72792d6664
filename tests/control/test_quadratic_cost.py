from typing import Any

import numpy as np
import pytest

from keras_dha.control import QuadraticCost

STATES, ACTIONS = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [0.0], [5.0]])


def test_the_sum_has_no_half_and_the_last_step_its_own_weights() -> None:
    cost = QuadraticCost([1.0, 2.0], [1.0, 0.0], last_weights=[10.0, 0.0])
    assert cost.of(STATES, ACTIONS) == (0 + 2 * 1) + (1 + 0) + (10 * 4 + 0)


def test_derivatives_are_those_of_the_cost() -> None:
    cost = QuadraticCost([1.0, 2.0], [1.0, 0.0], last_weights=[10.0, 0.0])
    hessians, slopes = cost.derivatives(STATES, ACTIONS)
    np.testing.assert_array_equal(hessians, [np.diag([2.0, 4.0])] * 2 + [np.diag([20.0, 0.0])])
    np.testing.assert_array_equal(slopes, [[0.0, 4.0], [2.0, 0.0], [40.0, 0.0]])
    for t in range(3):
        ahead, behind = STATES.copy(), STATES.copy()
        ahead[t] += 0.5
        behind[t] -= 0.5
        assert slopes[t, 0] == cost.of(ahead, ACTIONS) - cost.of(behind, ACTIONS)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_a_trajectory_that_diverged_costs_more_than_any(value: float) -> None:
    assert QuadraticCost([1.0, 1.0]).of(np.array([[value]]), np.zeros((1, 1))) == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, -1.0],), r"weights must be finite numbers, 0 or more.*Received: weights=\[1.0, -1.0\]"),
        (([1.0, np.nan],), "weights must be finite"),
        ((1.0,), "Received: weights=1.0"),
        (([1.0, 1.0], [0.0]), r"target must be 2 finite numbers, one .*Received: target=\[0.0\]"),
        (([1.0, 1.0], [0.0, np.inf]), "target must be 2 finite"),
    ],
    ids=str,
)
def test_what_must_hold(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuadraticCost(*arguments)
    with pytest.raises(ValueError, match="last_weights must be 2 finite numbers, 0 or more"):
        QuadraticCost([1.0, 1.0], last_weights=[1.0])
