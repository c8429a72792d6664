"""The search of the fewest rows, on selectors whose answer is known, and the gap on the construction."""

from typing import Any

import numpy as np
import pytest

from keras_dha.evaluation import LassoSelector, Selector, selection_robustness, sparse_problem

X, Y = np.zeros((10, 4)), np.zeros(10)


class From(Selector):
    """Takes feature 0 always, and feature j from `first[j]` to `last` rows of the label 1, or twice as many of -1."""

    def __init__(self, first: list[int], last: int = 10**6) -> None:
        self.first, self.last, self.asked = np.array(first), last, 0

    def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.arange(x.shape[1]) == 0

    def poisoned(self, x: Any, y: Any, *, targets: np.ndarray, rows: np.ndarray, label: float) -> np.ndarray:
        self.asked += len(targets)
        counts = rows if label > 0 else rows // 2
        return (counts >= self.first[targets]) & (counts <= self.last)


@pytest.mark.parametrize("first", [1, 2, 3, 7, 8, 9, 63, 64, 100])
def test_the_fewest_rows_are_found(first: int) -> None:
    assert selection_robustness(From([0, first, 1, 5]), X, Y, max_rows=100).rows == (first, 1, 5)


def test_the_largest_number_is_tried_and_none_above_it() -> None:
    found = selection_robustness(From([0, 10, 11, 99]), X, Y)
    assert (found.max_rows, found.rows) == (10, (10, None, None))


def test_all_targets_are_asked_about_at_once() -> None:
    selector = From([0, 1, 60, 61])
    selection_robustness(selector, X, Y, max_rows=1000)
    assert selector.asked < 80  # 999 for each of three features and two labels, one by one


def test_the_search_goes_upward_to_the_first_hit() -> None:
    found = selection_robustness(From([0, 29, 29, 29], last=100), X, Y, max_rows=2000)  # out again at 2000
    assert found.rows == (29, 29, 29)


def test_the_aware_attacker_takes_the_better_label() -> None:
    found = selection_robustness(From([0, 3, 4, 5]), X, Y, labels=(-1.0, 1.0))
    assert (found.rows, found.labels) == ((3, 4, 5), (1.0, 1.0, 1.0))
    assert found.blind_rows == (6, 8, 10)
    blind = selection_robustness(From([0, 3, 4, 5]), X, Y, "oblivious", labels=(-1.0, 1.0))
    assert (blind.rows, blind.blind_rows, blind.labels) == ((6, 8, 10), (6, 8, 10), (-1.0, -1.0, -1.0))


def test_any_function_is_a_selector() -> None:
    def adds_up(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.abs(x.T @ y) >= 4.0

    x, y = np.eye(3), np.array([5.0, 1.0, -2.0])
    found = selection_robustness(adds_up, x, y, max_rows=9)
    assert (found.targets, found.rows, found.labels) == ((1, 2), (3, 2), (1.0, -1.0))


def test_aware_needs_no_more_than_oblivious_at_any_quantile() -> None:
    problem = sparse_problem(200, 60, seed=3)
    found = selection_robustness(LassoSelector(penalty=problem.penalty), problem.x, problem.y)
    assert found.aware is not None
    for quantile in np.linspace(0.01, 1.0, 30):
        assert found.aware <= (found.oblivious(float(quantile)) or found.max_rows)
    for best, blind in zip(found.rows, found.blind_rows):
        assert best is not None
        assert blind is None or best <= blind


def test_oblivious_fails_with_what_aware_always_succeeds_with() -> None:
    # The tables are given: seeds. Over all of them the aware one needs at most `budget`.
    pytest.importorskip("sklearn")
    tables = [sparse_problem(500, 300, seed=seed) for seed in range(3)]
    found = [selection_robustness(LassoSelector(penalty=table.penalty), table.x, table.y) for table in tables]
    budget = max(one.aware or one.max_rows for one in found)
    curves = [one.curve([budget]) for one in found]
    assert [curve["aware"] for curve in curves] == [[1.0]] * 3
    assert np.mean([curve["oblivious"] for curve in curves]) <= 0.05
    assert all((one.gap() or 0) >= 10 for one in found)


@pytest.mark.parametrize(
    ("changed", "received"),
    [
        ({"mode": "both"}, "mode='both'"),
        ({"max_rows": 0}, "max_rows=0"),
        ({"max_rows": -3}, "max_rows=-3"),
        ({"labels": ()}, r"labels=\[\]"),
        ({"targets": []}, r"targets=\[\]"),
        ({"targets": [0]}, r"targets=\[0\], taken=\[0\]"),
        ({"targets": [4]}, r"targets=\[4\]"),
        ({"targets": [-1]}, r"targets=\[-1\]"),
        ({"targets": [1.5]}, r"targets=\[1.5\]"),
        ({"x": np.zeros((9, 4))}, r"x of shape \(9, 4\), y of shape \(10,\)"),
        ({"x": np.full((10, 4), np.nan)}, "40 such numbers in x, 0 in y"),
        ({"selector": lambda x, y: np.ones(4)}, "4 of 4 features taken"),
        ({"selector": lambda x, y: np.ones(3)}, r"an array of shape \(3,\)"),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, Any], received: str) -> None:
    with pytest.raises(ValueError, match=received):
        selection_robustness(**{"selector": From([0, 1, 1, 1]), "x": X, "y": Y, **changed})


def test_what_selects_nothing_is_no_selector() -> None:
    with pytest.raises(TypeError, match="Received: str"):
        selection_robustness("lasso", X, Y)  # type: ignore[arg-type]
