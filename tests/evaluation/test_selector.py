import numpy as np
import pytest

from keras_dha.evaluation import FunctionSelector, Selector
from keras_dha.evaluation.selector import with_poison

X, Y = np.eye(3), np.array([1.0, 3.0, -4.0])


def test_poison_rows_are_ones_at_the_feature() -> None:
    x, y = with_poison(X, Y, target=1, rows=2, label=-1.0)
    np.testing.assert_array_equal(x[3:], [[0, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(y, [1, 3, -4, -1, -1])


def test_no_rows_leave_the_table_as_it_is() -> None:
    x, y = with_poison(X, Y, target=1, rows=0, label=1.0)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_a_number_counts_by_its_absolute_value() -> None:
    selector = FunctionSelector(lambda x, y: x.T @ y, threshold=2.0)
    np.testing.assert_array_equal(selector.support(X, Y), [False, True, True])


def test_a_mask_counts_as_it_is() -> None:
    np.testing.assert_array_equal(FunctionSelector(lambda x, y: y > 0).support(X, Y), [True, True, False])


def test_a_subclass_needs_a_support_only() -> None:
    class Sum(Selector):
        def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return x.T @ y >= 3.0  # feature 0 has 1 of its own, so 2 rows are needed

    taken = Sum().poisoned(X, Y, targets=np.array([0, 0, 2, 2]), rows=np.array([1, 2, 6, 7]), label=1.0)
    np.testing.assert_array_equal(taken, [False, True, False, True])


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="Received: str"):
        FunctionSelector("lasso")  # type: ignore[arg-type]


def test_a_negative_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: threshold=-1"):
        FunctionSelector(lambda x, y: y, threshold=-1)


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"each of 3 features. Received: an array of shape \(2,\)"):
        FunctionSelector(lambda x, y: [1.0, 2.0]).support(X, Y)
