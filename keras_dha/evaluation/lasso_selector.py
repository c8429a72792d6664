"""The support of a Lasso, for hundreds of poisoned tables at once."""

from typing import Any

import numpy as np

from keras_dha.evaluation.selector import Selector, with_poison


class LassoSelector(Selector):
    """`min over theta of (1/n) |y - x theta|^2 + (2 penalty / n) |theta|_1`; what is not 0 is taken.

    Poison rows of `j` are zero for all other features. So, as long as `j` is out, they only move the intercept, in the
    same way for every `j`: one fit, with as many rows of zeros, says of all features whether they stay out,

        |x_j' r + rows * (label - intercept)| <= penalty         r: residuals of the rows of the table

    which is the condition of the poisoned problem itself, and no estimate. Fits are scikit-learn's, on the features
    that can be in, and the condition of all others is checked.

    Args:
        penalty: The lambda of the formula, which stays as rows are added; positive.
        alpha: In place of `penalty`: that of scikit-learn, `penalty / n`, which stays as rows are added. The penalty
            then grows with the rows, and a feature that came in leaves again when they are several times those of the
            table: of a centred table after `rho n` rows, rho the larger root of `alpha rho^2 + (2 alpha - 1) rho +
            alpha`.
        intercept: Whether one is fitted. Defaults to True.

    Raises:
        ValueError: If not exactly one of `penalty` and `alpha` is given, or it is not positive.
        ImportError: If scikit-learn is missing, in the first fit.

    Example:

    >>> LassoSelector(penalty=1.5, intercept=False).support(np.eye(3), np.array([1.0, 3.0, -4.0]))
    array([False,  True,  True])

    Reference: Deng et al., "A Separation Result Between Data-oblivious and Data-aware Poisoning Attacks",
    https://arxiv.org/abs/2003.12020, and its released notebooks, which fit anew for every number of rows. One fit for
    all features is ours.
    """

    def __init__(self, *, penalty: float | None = None, alpha: float | None = None, intercept: bool = True) -> None:
        given = [value for value in (penalty, alpha) if value is not None]
        if len(given) != 1 or not 0.0 < given[0] < float("inf"):
            raise ValueError(
                "One of penalty and alpha must be given, a positive number. "
                f"Received: penalty={penalty}, alpha={alpha}. Give penalty=alpha * number of rows, which stays."
            )
        self.penalty, self.alpha, self.intercept = penalty, alpha, bool(intercept)

    def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which features are taken: bool, `(num_features,)`."""
        return self._fit(x, y, 0, 0.0)[0] != 0.0

    def poisoned(
        self, x: np.ndarray, y: np.ndarray, *, targets: np.ndarray, rows: np.ndarray, label: float
    ) -> np.ndarray:
        """Whether each target is taken, `(num_tables,)`, by one fit for each number of rows."""
        taken = np.zeros(len(targets), bool)
        for count in np.unique(rows).tolist():
            here = np.flatnonzero(rows == count)
            coefficients, correlations, intercept = self._fit(x, y, count, label)
            own = targets[here]
            pull = correlations[own] + count * (label - intercept)
            taken[here] = np.abs(pull) > self.penalty_of(len(y) + count)
            for i in here[coefficients[own] != 0.0].tolist():  # in even with rows of zeros: then these are no bound
                taken[i] = self.support(*with_poison(x, y, int(targets[i]), count, label))[targets[i]]
        return taken

    def penalty_of(self, num_rows: int) -> float:
        """The lambda of a table of so many rows."""
        return float(self.penalty) if self.penalty is not None else float(self.alpha or 0.0) * num_rows

    def _fit(self, x: np.ndarray, y: np.ndarray, zeros: int, label: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Coefficients and `x' r`, both `(num_features,)`, and the intercept, with rows of zeros added to the table."""
        penalty, total = self.penalty_of(len(y) + zeros), len(y) + zeros
        weights = np.append(np.ones(len(y)), float(zeros))
        lasso = _lasso(penalty / total, self.intercept)
        centre = (y.sum() + zeros * label) / total if self.intercept else 0.0
        correlations = x.T @ (y - centre)
        active = np.argsort(-np.abs(correlations))[:1]
        while True:
            part = np.concatenate([x[:, active], np.zeros((1, len(active)))])
            lasso.fit(part, np.append(y, label), sample_weight=weights)
            intercept = float(lasso.intercept_)
            correlations = x.T @ (y - x[:, active] @ lasso.coef_ - intercept)
            beyond = np.abs(correlations) > penalty * (1.0 + 1e-8)
            beyond[active] = False
            if not beyond.any():
                break
            active = np.concatenate([active, np.flatnonzero(beyond)])
        coefficients = np.zeros(x.shape[1])
        coefficients[active] = lasso.coef_
        return coefficients, correlations, intercept


def _lasso(alpha: float, intercept: bool) -> Any:
    try:
        from sklearn.linear_model import Lasso
    except ImportError as error:
        raise ImportError("LassoSelector needs scikit-learn: pip install 'keras-dha[tuner]'.") from error
    return Lasso(alpha=alpha, fit_intercept=intercept, tol=1e-9, max_iter=100_000)
