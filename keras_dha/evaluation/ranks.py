"""Whether two measurements put the same networks in the same order."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b: 1 if both orders are the same, -1 if one is the other's reverse, about 0 if they are unrelated.

    `tau = (concordant - discordant) / sqrt(pairs without a tie in first * pairs without a tie in second)`

    Args:
        first: One number a network.
        second: Another one, in the same order.

    Returns:
        NaN if all numbers of a side are equal, which is no order.

    Raises:
        ValueError: If there are not two networks at least, or the numbers do not fit.

    Example:

    >>> kendall_tau([1, 2, 3, 4], [1, 2, 4, 3])
    0.6666666666666666
    """
    x, y = _checked(first, second)
    i, j = np.triu_indices(len(x), 1)
    signs = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
    pairs = [float(np.abs(sign).sum()) for sign in signs]
    return float((signs[0] * signs[1]).sum()) / math.sqrt(pairs[0] * pairs[1]) if all(pairs) else float("nan")


@dataclasses.dataclass(frozen=True)
class RepeatedTraining:
    """How far the same networks come apart when they are trained twice.

    Args:
        tau: Kendall's, between both trainings.
        mean_change: Mean of the absolute differences.
        largest_change: The largest of them.
    """

    tau: float
    mean_change: float
    largest_change: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return dataclasses.asdict(self)


def repeated_training(first: Sequence[float], second: Sequence[float]) -> RepeatedTraining:
    """Compares two accuracies of each network: of two training seeds, two depths, a supernet and a training alone.

    Args:
        first: One number a network.
        second: Another one, in the same order.

    Raises:
        ValueError: As `kendall_tau`.

    Reference: "NAS evaluation is frustratingly hard", https://arxiv.org/abs/1912.12522, section 5: two training seeds
    of the same networks there have a tau of 0.48, and differ by 0.13 points on average.
    """
    x, y = _checked(first, second)
    changes = np.abs(y - x)
    return RepeatedTraining(kendall_tau(x.tolist(), y.tolist()), float(changes.mean()), float(changes.max()))


def best_and_last(curve: Sequence[float]) -> dict[str, float]:
    """The best accuracy of a training, the last one, and the epoch of the best, from 1; the first of equal ones.

    A report says which of the two it gives: they differ, and the best one was chosen by what it reports.

    Args:
        curve: One accuracy an epoch.

    Raises:
        ValueError: If there is no epoch.

    Example:

    >>> best_and_last([0.5, 0.75, 0.7])
    {'best': 0.75, 'last': 0.7, 'epoch': 2}
    """
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"A curve must have one accuracy an epoch. Received: curve={curve!r}. Train for an epoch.")
    best = int(values.argmax())
    return {"best": float(values[best]), "last": float(values[-1]), "epoch": best + 1}


def random_search(selection: Sequence[float], reported: Sequence[float]) -> list[float]:
    """What random search finds with 1, 2, ... trials, on average over all sets of so many of the networks.

    Of each set the network of the highest `selection` counts, by what is `reported` of it; of equal ones the mean.

    Args:
        selection: What a search would see: accuracy on a validation part, one a network.
        reported: Accuracy on the test part.

    Returns:
        For each number of trials from 1 to all.

    Raises:
        ValueError: If the numbers do not fit.

    Example:

    >>> random_search([0.1, 0.3, 0.2], [0.5, 0.75, 0.25])
    [0.5, 0.5833333333333334, 0.75]
    """
    x, y = _checked(selection, reported, least=1)
    levels = np.unique(x)
    means = np.array([y[x == level].mean() for level in levels])
    below = [int((x <= level).sum()) for level in levels]
    found = []
    for trials in range(1, len(x) + 1):
        at_most = np.array([math.comb(count, trials) for count in below], dtype=np.float64) / math.comb(len(x), trials)
        found.append(float(np.diff(at_most, prepend=0.0) @ means))
    return found


def _checked(first: Sequence[float], second: Sequence[float], least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < least or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(
            f"Both must have a finite number for each of the same networks, at least {least}. "
            f"Received: {first!r} and {second!r}. Leave networks out of both that one lacks."
        )
    return x, y
