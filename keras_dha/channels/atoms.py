"""Channels that can only go together."""

import numpy as np


class Atoms:
    """A set of numbers, one for each channel that could go; those that are tied count as one: union-find."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._fixed: set[int] = set()

    def new(self, count: int, *, fixed: bool = False) -> np.ndarray:
        """Numbers that are tied to nothing, shape `(count,)`; `fixed` ones never go."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        if fixed:
            self._fixed.update(range(first, first + count))
        return np.arange(first, first + count)

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def tie(self, ones: np.ndarray, others: np.ndarray) -> None:
        """From now on the channels of two arrays of the same shape go together, pair by pair."""
        for one, other in zip(ones.tolist(), others.tolist(), strict=True):
            low, high = sorted((self._root(one), self._root(other)))
            self._parents[high] = low
            if high in self._fixed:
                self._fixed.add(low)

    def fix(self, numbers: np.ndarray) -> None:
        """These channels, and what is tied to them, never go."""
        self._fixed.update(self.roots(numbers).tolist())

    def roots(self, numbers: np.ndarray) -> np.ndarray:
        """One number for all that are tied to it; may change with the next tie."""
        return np.array([self._root(number) for number in numbers.tolist()], dtype=np.int64)

    def fixed(self, numbers: np.ndarray) -> np.ndarray:
        """Which of them never go: bool, of the same shape."""
        return np.array([root in self._fixed for root in self.roots(numbers).tolist()], dtype=bool)
