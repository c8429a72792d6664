import sys

import numpy as np
import pytest

from keras_dha.tuners.predictors import PREDICTORS, fitted, maker

X = np.linspace(0.0, 1.0, 40)[:, None]
Y = np.where(X[:, 0] > 0.5, 1.0, -1.0)


@pytest.mark.parametrize("name", PREDICTORS)
def test_each_learns_a_step_and_repeats_it(name: str) -> None:
    first, second = (fitted(maker(name), 3, X, Y).predict(X) for _ in range(2))
    assert np.mean((first > 0) == (Y > 0)) > 0.9
    np.testing.assert_array_equal(first, second)


class Mean:
    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        assert not hasattr(self, "value")
        self.value = y.mean()

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.full(len(x), self.value)


def test_an_object_is_copied_for_each_round() -> None:
    make = maker(Mean())
    for _ in range(2):  # the second would find the first one's value
        assert fitted(make, 0, X, Y).predict(X[:1]).tolist() == [0.0]


@pytest.mark.parametrize("given", ["svm", object(), None])
def test_neither_a_name_nor_an_object_that_learns(given: object) -> None:
    with pytest.raises(ValueError, match=r"with fit and predict. Received: predictor="):
        maker(given)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn: pip install 'keras-dha\[tuner\]'"):
        maker("tree")
    maker(Mean())
