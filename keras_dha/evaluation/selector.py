"""What selects features, and what it selects once rows are added."""

import abc
from collections.abc import Callable
from typing import Any

import numpy as np


class Selector(abc.ABC):
    """Says which features of a table it takes, and which of others it would take if rows were added.

    Subclasses give `support`. `poisoned` then makes a fit for each poisoned table; give it, too, if many of them can be
    answered at once.

    A poison row for feature `j` is `x = e_j`, all zero but for a 1 at `j`, with the same `y` in all of them.
    """

    @abc.abstractmethod
    def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which features are taken: bool, `(num_features,)`.

        Args:
            x: Float, `(num_rows, num_features)`.
            y: Float, `(num_rows,)`.
        """

    def poisoned(
        self, x: np.ndarray, y: np.ndarray, *, targets: np.ndarray, rows: np.ndarray, label: float
    ) -> np.ndarray:
        """Whether each target is taken after rows are added for it, and for no other one: bool, `(num_tables,)`.

        Args:
            x: Float, `(num_rows, num_features)`.
            y: Float, `(num_rows,)`.
            targets: Int, `(num_tables,)`: a feature for each poisoned table. It may come several times.
            rows: Int, `(num_tables,)`: how many rows are added, at least 0.
            label: `y` of every added row.
        """
        taken = [
            self.support(*with_poison(x, y, target, count, label))[target]
            for target, count in zip(targets.tolist(), rows.tolist())
        ]
        return np.array(taken, bool)


class FunctionSelector(Selector):
    """Any function that selects.

    Args:
        function: Takes `x`, `(num_rows, num_features)`, and `y`, `(num_rows,)`, and gives an array `(num_features,)`:
            booleans, or numbers such as coefficients, of which those count that are large.
        threshold: A number counts if its absolute value is above this; at least 0. Defaults to 1e-6.

    Raises:
        TypeError: If `function` cannot be called.
        ValueError: If the threshold is negative, or what the function gives has another shape.

    Example:

    >>> above = FunctionSelector(lambda x, y: x.T @ y, threshold=2.0)
    >>> above.support(np.eye(3), np.array([1.0, 3.0, -4.0]))
    array([False,  True,  True])
    """

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], Any], *, threshold: float = 1e-6) -> None:
        if not callable(function):
            raise TypeError(
                "A selector must be a Selector, or a function of x and y. "
                f"Received: {type(function).__name__}. Give LassoSelector(penalty=...), or a function."
            )
        if not 0.0 <= threshold < float("inf"):
            raise ValueError(f"threshold must be at least 0. Received: threshold={threshold}. Give 1e-6.")
        self.function, self.threshold = function, float(threshold)

    def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which features are taken: bool, `(num_features,)`."""
        scores = np.asarray(self.function(x, y))
        if scores.shape != x.shape[1:]:
            raise ValueError(
                f"A selector must give a boolean or a number for each of {x.shape[1]} features. "
                f"Received: an array of shape {scores.shape}. Give coefficients, importances, or a mask."
            )
        return scores if scores.dtype == bool else np.abs(scores) > self.threshold


def with_poison(x: np.ndarray, y: np.ndarray, target: int, rows: int, label: float) -> tuple[np.ndarray, np.ndarray]:
    """The table with rows added for one feature: `(num_rows + rows, num_features)` and `(num_rows + rows,)`."""
    added = np.zeros((rows, x.shape[1]), x.dtype)
    added[:, target] = 1.0
    return np.concatenate([x, added]), np.concatenate([y, np.full(rows, label, y.dtype)])
