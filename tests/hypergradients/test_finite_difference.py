import keras
import numpy as np
import pytest

from keras_dha.hypergradients import finite_difference_product

MATRIX = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 1.0]], "float32")


def gradient(w: keras.Variable) -> list[np.ndarray]:
    """`d/da sum(w^3 * (MATRIX a))`."""
    return [(w.numpy() ** 3) @ MATRIX]


def test_finite_differences_are_the_exact_mixed_product() -> None:
    w, v = keras.Variable([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.2], "float32")
    (found,) = finite_difference_product(lambda: gradient(w), [w], [v])
    np.testing.assert_allclose(found, (3 * w.numpy() ** 2 * v) @ MATRIX, rtol=1e-3)
    assert w.numpy().tolist() == [1.0, -2.0, 0.5]


def test_along_nothing_the_product_is_zero() -> None:
    w = keras.Variable([1.0, -2.0, 0.5])
    (found,) = finite_difference_product(lambda: gradient(w), [w], [np.zeros(3, "float32")])
    assert np.asarray(found).tolist() == [0.0, 0.0]


def test_a_direction_is_needed_for_each_variable() -> None:
    w = keras.Variable([1.0, -2.0, 0.5])
    with pytest.raises(ValueError, match="argument"):
        finite_difference_product(lambda: gradient(w), [w, w], [np.ones(3, "float32")])
