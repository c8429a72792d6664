"""A regression of which few features matter, made to measure selectors on."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class SparseProblem:
    """A table, what made it, and the penalty with which a Lasso finds that.

    Args:
        x: Float, `(num_rows, num_features)`.
        y: Float, `(num_rows,)`.
        theta: Float, `(num_features,)`; not 0 for the first few features.
        penalty: The lambda of `LassoSelector`.
    """

    x: np.ndarray
    y: np.ndarray
    theta: np.ndarray
    penalty: float


def sparse_problem(
    num_rows: int = 1000,
    num_features: int = 2000,
    *,
    num_relevant: int = 5,
    noise: float = 0.25,
    seed: int = 6,
) -> SparseProblem:
    """`y = x theta + noise`, with normal `x` of variance 1/4, and `penalty = 4 noise sqrt(num_rows log(num_features))`.

    The first `num_relevant` numbers of theta are uniform between 0.75 and 1, all others 0; the last column of x is 0.
    On such a table a Lasso resists whoever must choose the feature without seeing it, at a budget with which whoever
    sees it succeeds.

    Args:
        num_rows: A positive integer.
        num_features: More than `num_relevant + 1`.
        num_relevant: A positive integer.
        noise: Standard deviation, positive.
        seed: Of numpy's `RandomState`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> problem = sparse_problem(100, 20)
    >>> problem.x.shape, round(problem.penalty, 2)
    ((100, 20), 17.31)

    Reference: the synthetic construction in the released notebooks of https://arxiv.org/abs/2003.12020, which has
    100,000 features.
    """
    if num_rows < 1 or num_relevant < 1 or num_features < num_relevant + 2 or not noise > 0.0:
        raise ValueError(
            "num_rows and num_relevant must be positive, num_features at least num_relevant + 2, and noise positive. "
            f"Received: num_rows={num_rows}, num_features={num_features}, num_relevant={num_relevant}, noise={noise}. "
            "Give 1000, 2000, 5 and 0.25."
        )
    rng = np.random.RandomState(seed)
    x = rng.normal(0.0, 0.5, (num_rows, num_features))
    theta = np.zeros(num_features)
    theta[:num_relevant] = rng.uniform(0.75, 1.0, num_relevant)
    x[:, -1] = 0.0
    y = x @ theta + rng.normal(0.0, noise, num_rows)
    return SparseProblem(x, y, theta, 4.0 * noise * float(np.sqrt(num_rows * np.log(num_features))))
