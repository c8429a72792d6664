"""Numbers along a trajectory, without what jumps from step to step."""

import math

import numpy as np

_REACH = 4  # deviations to each side


def smoothed(values: np.ndarray, deviation: float) -> np.ndarray:
    """A Gaussian mean along the first axis, the time: `sum_s exp(-(s - t)^2 / (2 deviation^2)) values_s`, normalized.

    Before the first step and after the last one, values count as what they are there.

    Args:
        values: Shape `(num_steps, ...)`.
        deviation: In steps, from 0; 0 leaves values as they are.

    Raises:
        ValueError: If the deviation is negative or not finite.
    """
    if not 0.0 <= deviation < math.inf:
        raise ValueError(f"deviation must be a number of steps, 0 or more. Received: deviation={deviation}. Give 0.")
    reach = math.ceil(_REACH * deviation)
    if reach == 0:
        return values
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(values, [(reach, reach), *[(0, 0)] * (values.ndim - 1)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=0)
    return windows @ (weights / weights.sum())
