import sys
from typing import Any

import numpy as np
import pytest

from keras_dha.evaluation import ImportanceSelector, selection_robustness


class Given:
    """An estimator whose importances are the targets."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Any:
        self.feature_importances_ = y
        return self


def test_what_is_above_the_mean_is_taken() -> None:
    x, y = np.zeros((3, 3)), np.array([0.1, 0.5, 0.3])  # the mean is 0.3
    np.testing.assert_array_equal(ImportanceSelector(Given()).support(x, y), [False, True, False])
    np.testing.assert_array_equal(ImportanceSelector(Given(), times=0.5).support(x, y), [False, True, True])


def test_trees_take_what_matters_and_can_be_poisoned() -> None:
    sklearn_tree = pytest.importorskip("sklearn.tree")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    y = x[:, 0] + 0.1 * rng.normal(size=200)
    selector = ImportanceSelector(sklearn_tree.DecisionTreeRegressor(min_samples_leaf=5, random_state=0))
    np.testing.assert_array_equal(np.flatnonzero(selector.support(x, y)), [0])
    found = selection_robustness(selector, x, y, targets=[3, 4], labels=(5.0, -5.0))
    for target, rows, label in zip(found.targets, found.rows, found.labels):
        assert rows is not None
        tables = [np.array([target]), np.array([rows])]
        assert selector.poisoned(x, y, targets=tables[0], rows=tables[1], label=label).all()
        assert not selector.poisoned(x, y, targets=tables[0], rows=tables[1] - 1, label=label).any()


def test_the_default_is_a_forest_that_draws_the_same_each_time() -> None:
    pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 4))
    selector = ImportanceSelector()
    for _ in range(2):
        np.testing.assert_array_equal(np.flatnonzero(selector.support(x, x[:, 2])), [2])


def test_an_estimator_without_fit_is_refused() -> None:
    with pytest.raises(TypeError, match="Received: str"):
        ImportanceSelector("forest")


def test_times_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"Received: times=0\.0"):
        ImportanceSelector(Given(), times=0.0)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-dha\[tuner\]'"):
        ImportanceSelector()
