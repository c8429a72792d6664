import numpy as np
import pytest

from keras_dha.evaluation import sparse_problem


def test_few_features_matter_and_the_last_column_is_zero() -> None:
    problem = sparse_problem(50, 12, num_relevant=3, seed=0)
    assert problem.x.shape == (50, 12)
    assert ((problem.theta[:3] >= 0.75) & (problem.theta[:3] <= 1.0)).all()
    assert not problem.theta[3:].any()
    assert not problem.x[:, -1].any()


def test_the_numbers_are_those_of_the_construction() -> None:
    problem = sparse_problem()
    assert problem.penalty == pytest.approx(87.18, abs=0.01)  # 4 * 0.25 * sqrt(1000 ln 2000)
    assert problem.x[:, :-1].var() == pytest.approx(0.25, rel=0.01)
    assert (problem.y - problem.x @ problem.theta).std() == pytest.approx(0.25, rel=0.1)


def test_a_seed_makes_the_same_table_again() -> None:
    np.testing.assert_array_equal(sparse_problem(20, 9, seed=1).x, sparse_problem(20, 9, seed=1).x)


@pytest.mark.parametrize(("argument", "value"), [("num_rows", 0), ("num_features", 6), ("noise", 0.0)])
def test_what_is_out_of_range_is_refused(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{argument}={value}"):
        sparse_problem(**{argument: value})
