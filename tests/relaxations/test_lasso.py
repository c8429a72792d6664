import numpy as np
import pytest

from keras_dha.relaxations.lasso import lasso


def problem(num_options, scale, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(7, num_options)), scale * rng.standard_normal(7)


def test_one_column_is_soft_thresholding():
    # 1/2 (z - 3)^2 + |z| is least at 3 - 1.
    np.testing.assert_allclose(lasso(np.array([[1.0]]), np.array([3.0]), 1.0), [2.0])
    np.testing.assert_allclose(lasso(np.array([[1.0]]), np.array([-3.0]), 1.0), [-2.0])
    np.testing.assert_array_equal(lasso(np.array([[1.0]]), np.array([3.0]), 3.0), [0.0])


def test_orthogonal_columns_are_thresholded_one_by_one():
    np.testing.assert_allclose(lasso(np.eye(3), np.array([3.0, -0.5, -2.0]), 1.0), [2.0, 0.0, -1.0])


def test_two_equal_columns_do_not_stop_it():
    matrix = np.ones((2, 2))
    z = lasso(matrix, np.array([1.0, 1.0]), 0.1)
    np.testing.assert_allclose(z.sum(), 0.95)  # 2 (1 - s) = 0.1
    assert (z >= 0).all()


@pytest.mark.parametrize("num_options", [5, 14, 21, 28, 35])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0])
def test_optimality_conditions_hold_and_at_most_m_options_are_used(num_options, scale):  # B2
    for seed in range(5):
        matrix, target = problem(num_options, scale, seed)
        z = lasso(matrix, target, 1e-5)
        slope = matrix.T @ (target - matrix @ z)
        np.testing.assert_allclose(slope[z != 0], 1e-5 * np.sign(z[z != 0]), rtol=1e-6)
        assert np.abs(slope).max() <= 1e-5 * (1 + 1e-6)
        assert 0 < np.count_nonzero(z) <= 7


@pytest.mark.parametrize("num_options", [14, 28])
def test_agrees_with_coordinate_descent(num_options):  # B7
    linear_model = pytest.importorskip("sklearn.linear_model")
    matrix, target = problem(num_options, 1e-3, seed=1)
    other = linear_model.Lasso(alpha=1e-5 / 7, fit_intercept=False, tol=1e-14, max_iter=1_000_000)
    np.testing.assert_allclose(lasso(matrix, target, 1e-5), other.fit(matrix, target).coef_, atol=1e-6)
