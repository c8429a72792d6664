"""Weak predictors: from rows of numbers to a score, made anew in each round."""

import copy
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

PREDICTORS = ("boosting", "forest", "mlp", "tree")


class Predictor(Protocol):
    """What a predictor must do; those of scikit-learn do it."""

    def fit(self, x: np.ndarray, y: np.ndarray, /) -> Any:
        """Learns from rows `x`, shape `(num_labels, num_features)`, and labels `y`, of mean 0 and variance 1."""

    def predict(self, x: np.ndarray, /) -> np.ndarray:
        """A label for each row."""


def maker(predictor: Any) -> Callable[[int], Predictor]:
    """What makes a new predictor from a seed.

    Args:
        predictor: One of `PREDICTORS`, or an object with `fit` and `predict`, of which each call gives a copy.

    Raises:
        ValueError: If it is neither.
        ImportError: If scikit-learn is needed, and missing.
    """
    if isinstance(predictor, str) and predictor in PREDICTORS:
        return _makers()[predictor]
    if not callable(getattr(predictor, "fit", None)) or not callable(getattr(predictor, "predict", None)):
        raise ValueError(
            f"predictor must be one of {PREDICTORS}, or an object with fit and predict. "
            f"Received: predictor={predictor!r}. For example 'boosting'."
        )
    return lambda seed: copy.deepcopy(predictor)


def fitted(make: Callable[[int], Predictor], seed: int, x: np.ndarray, y: np.ndarray) -> Predictor:
    """A predictor that has learned from rows and labels."""
    predictor = make(seed)
    with warnings.catch_warnings():
        # A perceptron has a fixed number of passes; the ones of a weak predictor need not be enough.
        warnings.filterwarnings("ignore", message="Stochastic Optimizer", category=UserWarning)
        predictor.fit(x, y)
    return predictor


def _makers() -> dict[str, Callable[[int], Predictor]]:
    try:
        from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
        from sklearn.neural_network import MLPRegressor
        from sklearn.tree import DecisionTreeRegressor
    except ImportError as error:
        raise ImportError(
            "A predictor given by name needs scikit-learn: pip install 'keras-dha[tuner]'; or give an object with fit "
            "and predict."
        ) from error

    return {
        "boosting": lambda seed: GradientBoostingRegressor(
            n_estimators=100, max_depth=3, subsample=0.7, random_state=seed
        ),
        "forest": lambda seed: ExtraTreesRegressor(60, random_state=seed),
        "mlp": lambda seed: MLPRegressor(hidden_layer_sizes=(100, 100), max_iter=100, random_state=seed),
        "tree": lambda seed: DecisionTreeRegressor(max_depth=10, random_state=seed),
    }
