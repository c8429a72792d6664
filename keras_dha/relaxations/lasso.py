"""The sparse vector behind a few measurements."""

import numpy as np


def lasso(matrix: np.ndarray, target: np.ndarray, l1: float, *, max_steps: int = 1000) -> np.ndarray:
    """`argmin_z 1/2 * ||matrix z - target||^2 + l1 * ||z||_1`, exact to rounding, in float64.

    By homotopy: as the weight of the l1 norm falls from where z = 0 is optimal, the solution moves on straight lines,
    `z_S = u - weight * d`, until an option enters the support S or leaves it. The weights of interest are so small
    that proximal gradient steps (ISTA) would creep: along what the measurements do not see they move by `l1 / L`.

    Args:
        matrix: `(num_measurements, num_options)`.
        target: `(num_measurements,)`.
        l1: Weight of the l1 norm, positive.
        max_steps: Where to stop, with the solution for a larger weight, if rounding made the path turn in a circle.

    Returns:
        `(num_options,)`, with at most `num_measurements` non-zero numbers unless columns are dependent in smaller sets.

    Reference: Osborne, Presnell, Turlach, "A new approach to variable selection in least squares problems", 2000.
    """
    matrix, target = np.asarray(matrix, np.float64), np.asarray(target, np.float64)
    gram, correlation = matrix.T @ matrix, matrix.T @ target
    z, signs = np.zeros(len(correlation)), np.zeros(len(correlation))
    first = int(np.argmax(np.abs(correlation)))
    weight = float(np.abs(correlation[first]))
    if weight <= l1:
        return z
    signs[first] = np.sign(correlation[first])
    last = (first, 0.0)
    for _ in range(max_steps):
        support = np.flatnonzero(signs)
        rows = gram[:, support]
        u, d = np.linalg.lstsq(rows[support], np.stack([correlation[support], signs[support]], 1), rcond=None)[0].T
        next_weight, position, sign = _next_event(
            weight, signs, support, (u, d), (correlation - rows @ u, rows @ d), last
        )
        z[:] = 0.0
        z[support] = u - max(next_weight, l1) * d
        if next_weight <= l1:
            break
        weight, last, signs[position] = next_weight, (position, signs[position]), sign
    return z


def _next_event(
    weight: float,
    signs: np.ndarray,
    support: np.ndarray,
    line: tuple[np.ndarray, np.ndarray],
    residual: tuple[np.ndarray, np.ndarray],
    last: tuple[int, float],
) -> tuple[float, int, float]:
    """The next smaller weight at which an option leaves or enters, that option, and its new sign (0.0: it leaves).

    Args:
        weight: The weight now.
        signs: The signs of z.
        support: Where they are not 0.
        line: `(u, d)`: on the support, `z = u - weight * d`.
        residual: `(p, q)`: the correlation of all options with what is not yet explained is `p + weight * q`.
        last: The option of the last event and its sign before. It is still on the edge, and must not undo the event.
    """
    (u, d), (p, q) = line, residual
    may_enter = [(signs == 0) & ~((np.arange(len(signs)) == last[0]) & (last[1] == sign)) for sign in (1.0, -1.0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        leaving = np.where(support == last[0], 0.0, u / d)
        enters = [np.where(may_enter[0], p / (1 - q), 0.0), np.where(may_enter[1], -p / (1 + q), 0.0)]
    # Rounding may put an event that is due now just above the present weight.
    events = [np.where(np.isfinite(e) & (e <= weight * (1 + 1e-9)), e, 0.0) for e in (leaving, *enters)]
    kind = int(np.argmax([event.max() for event in events]))
    best = int(np.argmax(events[kind]))
    position = int(support[best]) if kind == 0 else best
    return min(float(events[kind][best]), weight), position, (0.0, 1.0, -1.0)[kind]
