"""Against plain fits of scikit-learn, and against the formulas of oblivious poisoning, arXiv 2003.12020."""

import sys

import numpy as np
import pytest

from keras_dha.evaluation import LassoSelector, SparseProblem, selection_robustness, sparse_problem
from keras_dha.evaluation.selector import with_poison

linear_model = pytest.importorskip("sklearn.linear_model")


def is_taken(
    x: np.ndarray, y: np.ndarray, target: int, rows: int, label: float, *, alpha: float, intercept: bool
) -> bool:
    """What a plain fit of the poisoned table says."""
    x, y = with_poison(x, y, target, rows, label)
    fit = linear_model.Lasso(alpha=alpha, fit_intercept=intercept, tol=1e-8, max_iter=10_000).fit(x, y)
    return bool(abs(fit.coef_[target]) > 1e-9)


@pytest.fixture(scope="module")
def problem() -> SparseProblem:
    return sparse_problem()


@pytest.fixture(scope="module")
def small() -> SparseProblem:
    return sparse_problem(200, 40, seed=1)


def test_the_clean_support_is_what_matters(problem: SparseProblem) -> None:
    support = LassoSelector(penalty=problem.penalty).support(problem.x, problem.y)
    np.testing.assert_array_equal(np.flatnonzero(support), np.flatnonzero(problem.theta))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_the_support_is_that_of_scikit_learn(small: SparseProblem, alpha: float, intercept: bool) -> None:
    fit = linear_model.Lasso(alpha=alpha, fit_intercept=intercept, tol=1e-8).fit(small.x, small.y)
    support = LassoSelector(alpha=alpha, intercept=intercept).support(small.x, small.y)
    np.testing.assert_array_equal(support, np.abs(fit.coef_) > 1e-9)


@pytest.mark.parametrize("label", [1.0, -1.0])
def test_one_fit_for_all_features_says_what_plain_fits_say(small: SparseProblem, label: float) -> None:
    penalty, counts = 20.0, np.arange(0, 48, 3)
    for target in (7, 20, 39):
        rows = LassoSelector(penalty=penalty).poisoned(
            small.x, small.y, targets=np.full(len(counts), target), rows=counts, label=label
        )
        plain = [
            is_taken(small.x, small.y, target, count, label, alpha=penalty / (200 + count), intercept=True)
            for count in counts.tolist()
        ]
        np.testing.assert_array_equal(rows, plain)
        assert rows.any()
        assert not rows.all()


def test_the_fewest_rows_of_the_construction_are_those_of_plain_fits(problem: SparseProblem) -> None:
    targets = [100, 777, 1999]
    found = selection_robustness(
        LassoSelector(penalty=problem.penalty), problem.x, problem.y, "oblivious", targets=targets
    )
    for target, rows in zip(targets, found.rows):
        assert rows is not None
        for count, expected in ((rows, True), (rows - 1, False)):
            alpha = problem.penalty / (1000 + count)
            assert is_taken(problem.x, problem.y, target, count, 1.0, alpha=alpha, intercept=True) == expected


def test_without_intercept_the_formula_is_exact(problem: SparseProblem) -> None:
    fit = linear_model.Lasso(alpha=problem.penalty / 1000, fit_intercept=False, tol=1e-8).fit(problem.x, problem.y)
    pull = problem.x.T @ (problem.y - fit.predict(problem.x))  # x_j' r
    targets = np.arange(5, 2000)
    selector = LassoSelector(penalty=problem.penalty, intercept=False)
    found = selection_robustness(selector, problem.x, problem.y, targets=targets)
    upward, downward = (np.floor(problem.penalty - sign * pull[targets]) + 1 for sign in (1, -1))
    np.testing.assert_array_equal(found.blind_rows, upward)
    np.testing.assert_array_equal(found.rows, np.minimum(upward, downward))


@pytest.mark.parametrize(("intercept", "rows"), [(True, 95), (False, 88)])
def test_the_zero_column_needs_what_the_formula_says(problem: SparseProblem, intercept: bool, rows: int) -> None:
    n, penalty = 1000, problem.penalty
    found = selection_robustness(
        LassoSelector(penalty=penalty, intercept=intercept), problem.x, problem.y, "oblivious", targets=[1999]
    )
    assert found.rows == (rows,)
    fit = linear_model.Lasso(alpha=penalty / n, fit_intercept=intercept, tol=1e-8).fit(problem.x, problem.y)
    least = penalty * n / (n * (1.0 - fit.intercept_) - penalty) if intercept else penalty
    assert rows == np.floor(least) + 1  # the intercept is the mean of y where columns are centred


def test_rows_grow_with_the_penalty(small: SparseProblem) -> None:
    found = [
        selection_robustness(LassoSelector(penalty=penalty), small.x, small.y, targets=range(10, 40)).rows
        for penalty in (15.0, 25.0, 40.0)
    ]
    assert (np.diff(np.array(found, float), axis=0) > 0).all()


@pytest.mark.parametrize(("alpha", "enters", "leaves"), [(0.1, 25.4, 1574.6), (0.05, 11.1, 3588.9)])
def test_with_a_fixed_alpha_a_feature_leaves_again(alpha: float, enters: float, leaves: float) -> None:
    n, rng = 200, np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    x[:, 2] = 0.0
    y = x[:, 0] + 0.1 * rng.normal(size=n)
    x, y = x - x.mean(axis=0), y - y.mean()
    counts = np.array([int(enters), int(enters) + 1, int(leaves), int(leaves) + 1])
    free = LassoSelector(alpha=alpha).poisoned(x, y, targets=np.full(4, 2), rows=counts, label=1.0)
    np.testing.assert_array_equal(free, [False, True, True, False])
    roots = np.roots([alpha, 2.0 * alpha - 1.0, alpha]) * n
    np.testing.assert_allclose(sorted(roots), [enters, leaves], atol=0.1)
    through_zero = LassoSelector(alpha=alpha, intercept=False)  # stays, after alpha n / (1 - alpha)
    counts = np.array([int(alpha * n / (1 - alpha)), int(alpha * n / (1 - alpha)) + 1, int(leaves) + 1, 100_000])
    stays = through_zero.poisoned(x, y, targets=np.full(4, 2), rows=counts, label=1.0)
    np.testing.assert_array_equal(stays, [False, True, True, True])


def test_diabetes_needs_the_rows_that_were_measured() -> None:
    x, y = pytest.importorskip("sklearn.datasets").load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()
    found = selection_robustness(LassoSelector(alpha=0.1), x, y, "oblivious")
    names = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    rows = {names[target]: count for target, count in zip(found.targets, found.rows)}
    assert rows == {"s6": 8, "s4": 14, "age": 42, "s2": 66, "s1": 68, "sex": 100}


def test_a_feature_that_rows_of_zeros_bring_in_is_fitted_by_itself() -> None:
    x = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, -1.0]])  # at zero rows: x = 0, y = 8 is told by feature 0
    y = np.array([0.1, -0.1, 0.0, 0.0])
    selector = LassoSelector(penalty=1.0)
    got = selector.poisoned(x, y, targets=np.array([0, 0]), rows=np.array([2, 0]), label=8.0)
    assert got.tolist() == [is_taken(x, y, 0, 2, 8.0, alpha=1 / 6, intercept=True), False]


@pytest.mark.parametrize("given", [{}, {"penalty": 1.0, "alpha": 0.1}, {"penalty": 0.0}, {"alpha": -0.1}])
def test_one_positive_penalty_must_be_given(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Received: penalty="):
        LassoSelector(**given)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, small: SparseProblem) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ImportError, match=r"LassoSelector needs scikit-learn: pip install 'keras-dha\[tuner\]'"):
        LassoSelector(penalty=1.0).support(small.x, small.y)
