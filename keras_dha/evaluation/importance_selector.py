"""Features that trees find important."""

from typing import Any

import numpy as np

from keras_dha.evaluation.selector import Selector


class ImportanceSelector(Selector):
    """A feature is taken if its importance is above `times` the mean importance.

    Args:
        estimator: Has `fit(x, y)`, and then `feature_importances_`, `(num_features,)`, as scikit-learn's trees, forests
            and boosted trees. It is fitted anew in each call; give it a `random_state`, or each call draws anew.
            None: `ExtraTreesRegressor(50, min_samples_leaf=5, random_state=0)`.
        times: Positive. Defaults to 1.0.

    Raises:
        TypeError: If the estimator has no `fit`.
        ValueError: If `times` is not positive.
        ImportError: If no estimator is given and scikit-learn is missing.
    """

    def __init__(self, estimator: Any = None, *, times: float = 1.0) -> None:
        if not 0.0 < times < float("inf"):
            raise ValueError(f"times must be positive. Received: times={times}. Give 1.0, the mean importance.")
        self.estimator = _trees() if estimator is None else estimator
        if not callable(getattr(self.estimator, "fit", None)):
            raise TypeError(
                "estimator must have fit and feature_importances_. "
                f"Received: {type(estimator).__name__}. Give a forest of scikit-learn."
            )
        self.times = float(times)

    def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which features are taken: bool, `(num_features,)`."""
        importances = np.asarray(self.estimator.fit(x, y).feature_importances_)
        return importances > self.times * importances.mean()


def _trees() -> Any:
    try:
        from sklearn.ensemble import ExtraTreesRegressor
    except ImportError as error:
        raise ImportError(
            "ImportanceSelector needs scikit-learn, or an estimator with feature_importances_: "
            "pip install 'keras-dha[tuner]'."
        ) from error
    return ExtraTreesRegressor(50, min_samples_leaf=5, random_state=0)
