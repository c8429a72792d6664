"""How many added rows make a selector take a feature that does not matter."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_dha.evaluation.poison_budgets import MODES, PoisonBudgets
from keras_dha.evaluation.selector import FunctionSelector, Selector

_Tries = Callable[[np.ndarray, np.ndarray], np.ndarray]


def selection_robustness(
    selector: Selector | Callable[[np.ndarray, np.ndarray], Any],
    x: np.ndarray,
    y: np.ndarray,
    mode: str = "aware",
    *,
    targets: Sequence[int] | None = None,
    max_rows: int | None = None,
    labels: Sequence[float] = (1.0, -1.0),
) -> PoisonBudgets:
    """The fewest poison rows that make a selector take each feature which it leaves out.

    An attacker adds `k` rows `x = e_j, y = label` to the table, to have feature `j` taken. One who is *aware* sees the
    table, and chooses the feature and the label for it; one who is *oblivious* has to choose both beforehand. Numbers
    of rows are doubled until the feature is in, and then halved in between: with each number that is returned the
    feature is in, with one row less it is out. A selector that takes a feature only for some numbers of rows, and never
    for twice the fewest of them, is not seen to take it.

    `x` and `y` must be standardised, or a poison row means little: its 1 is one unit of each.

    Args:
        selector: A `Selector`, or a function of x and y that gives a mask or coefficients, `(num_features,)`.
        x: Finite, `(num_rows, num_features)`.
        y: Finite, `(num_rows,)`; for selectors of classes, their numbers.
        mode: `"aware"` tries all labels; `"oblivious"` the first one, in less time.
        targets: Numbers of features that the selector leaves out. None: all of them.
        max_rows: The largest number of rows that is tried, at least 1. None: as many as the table has.
        labels: What `y` of a poison row may be. An oblivious attacker takes the first one.

    Returns:
        Budgets of the targets, curves, and what they mean in words.

    Raises:
        TypeError: If the selector is neither.
        ValueError: If shapes do not fit, numbers are not finite, the selector takes all features, there are no targets
            or one is taken already, or another argument is out of range.

    Example:

    >>> problem = sparse_problem(100, 20)
    >>> found = selection_robustness(LassoSelector(penalty=problem.penalty), problem.x, problem.y)
    >>> found.aware <= found.oblivious(0.5)
    True

    Reference: Deng et al., "A Separation Result Between Data-oblivious and Data-aware Poisoning Attacks",
    https://arxiv.org/abs/2003.12020, where the fewest rows are the k-stability of a feature, and the least of them that
    of the data set. The label of either sign is ours.
    """
    selector = selector if isinstance(selector, Selector) else FunctionSelector(selector)
    x, y = _checked(x, y)
    max_rows = len(y) if max_rows is None else int(max_rows)
    if mode not in MODES or max_rows < 1 or not len(labels):
        raise ValueError(
            f"mode must be one of {MODES}, max_rows at least 1, and labels must not be empty. "
            f"Received: mode={mode!r}, max_rows={max_rows}, labels={list(labels)}. "
            f"Give 'aware', {len(y)} and [1.0, -1.0]."
        )
    chosen = _targets(selector.support(x, y), targets)
    tried = [float(label) for label in (labels if mode == "aware" else labels[:1])]
    found = np.stack([_fewest(_tries(selector, x, y, label), chosen, max_rows) for label in tried])
    best = found.argmin(axis=0)
    return PoisonBudgets(
        mode=mode,
        num_rows=len(y),
        max_rows=max_rows,
        targets=tuple(chosen.tolist()),
        rows=_plain(found.min(axis=0), max_rows),
        blind_rows=_plain(found[0], max_rows),
        labels=tuple(tried[i] for i in best.tolist()),
    )


def _tries(selector: Selector, x: np.ndarray, y: np.ndarray, label: float) -> _Tries:
    """Whether targets are taken after so many rows: a function of both, `(num_tables,)`."""
    return lambda targets, rows: selector.poisoned(x, y, targets=targets, rows=rows, label=label)


def _fewest(taken: _Tries, targets: np.ndarray, max_rows: int) -> np.ndarray:
    """The fewest rows for each target, `max_rows + 1` if these are too few: int, `(num_targets,)`."""
    out, inside = np.zeros(len(targets), int), np.full(len(targets), max_rows + 1)
    rows = np.ones(len(targets), int)
    waiting = np.arange(len(targets))
    while len(waiting):
        hit = taken(targets[waiting], rows[waiting])
        inside[waiting[hit]] = rows[waiting[hit]]
        missed = waiting[~hit]
        out[missed] = rows[missed]
        waiting = missed[rows[missed] < max_rows]
        rows[waiting] = np.minimum(2 * rows[waiting], max_rows)
    open_ones = np.flatnonzero((inside <= max_rows) & (inside - out > 1))
    while len(open_ones):
        middle = (out[open_ones] + inside[open_ones]) // 2
        hit = taken(targets[open_ones], middle)
        inside[open_ones[hit]], out[open_ones[~hit]] = middle[hit], middle[~hit]
        open_ones = open_ones[inside[open_ones] - out[open_ones] > 1]
    return inside


def _plain(rows: np.ndarray, max_rows: int) -> tuple[int | None, ...]:
    return tuple(count if count <= max_rows else None for count in rows.tolist())


def _checked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size:
        raise ValueError(
            "x must be of shape (num_rows, num_features), and y of shape (num_rows,). "
            f"Received: x of shape {x.shape}, y of shape {y.shape}. Give a table with a number for each row."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(
            f"x and y must be finite. Received: {int((~np.isfinite(x)).sum())} such numbers in x, "
            f"{int((~np.isfinite(y)).sum())} in y. Fill or drop what is missing."
        )
    return x, y


def _targets(support: np.ndarray, targets: Sequence[int] | None) -> np.ndarray:
    """Features to be brought in, int, `(num_targets,)`."""
    chosen = np.flatnonzero(~support) if targets is None else np.asarray(targets)
    if not len(chosen):
        raise ValueError(
            "There must be a feature that the selector leaves out, as a target. "
            f"Received: {int(support.sum())} of {len(support)} features taken, targets={targets}. "
            "Give a selector that leaves some out, as one with a larger penalty."
        )
    if chosen.dtype.kind not in "iu" or chosen.min() < 0 or chosen.max() >= len(support) or support[chosen].any():
        raise ValueError(
            f"targets must be numbers of features that the selector leaves out, below {len(support)}. "
            f"Received: targets={chosen.tolist()[:8]}, taken={np.flatnonzero(support).tolist()[:8]}. "
            "Give others, or None for all."
        )
    return chosen.astype(int)
