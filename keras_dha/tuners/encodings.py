"""Points as rows of numbers, for predictors."""

import abc
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np

from keras_dha.tuners.points import Points, Values


class Encoding(abc.ABC):
    """How a predictor sees points. One encodes points of any number of spaces, so it keeps nothing of them."""

    @abc.abstractmethod
    def encode(self, points: Points, values: Sequence[Values]) -> np.ndarray:
        """Numbers, shape `(len(values), num_features)`, the same features for the same space.

        Args:
            points: The space.
            values: Points of it.
        """


class OneHot(Encoding):
    """A column for each option of what has no order, one for what has: where in its range, in [0, 1], it is.

    Conditional hyper-parameters have one column more, whether they are active; where they are not, the others are 0.

    Example:

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Choice("op", ["conv", "pool", "skip"]), hp.Int("size", 1, 2)
    >>> OneHot().encode(Points(hp), [{"op": "pool", "size": 2}]).tolist()
    [[0.0, 1.0, 0.0, 0.75]]

    Reference: Wu et al., https://arxiv.org/abs/2102.10490, encode cells of NAS-Bench-201 as one-hot; the rest is ours.
    """

    def encode(self, points: Points, values: Sequence[Values]) -> np.ndarray:
        """See `Encoding`."""
        columns = [column for hp in points.space for column in self._columns(hp, values)]
        return np.stack(columns, axis=1) if columns else np.zeros((len(values), 0))

    @staticmethod
    def _columns(hp: Any, values: Sequence[Values]) -> list[np.ndarray]:
        kinds = keras_tuner.engine.hyperparameters
        if isinstance(hp, kinds.Fixed):
            return []
        if hp.conditions:
            active = [hp.name in point and all(c.is_active(point) for c in hp.conditions) for point in values]
            given = [point[hp.name] if is_active else None for point, is_active in zip(values, active)]
            columns = [np.array(active, dtype=float)]
        else:
            given, columns = [point[hp.name] for point in values], []
        if isinstance(hp, kinds.Choice) and not hp.ordered:
            places = {option: place for place, option in enumerate(hp.values)}
            rows = np.array([places.get(value, -1) for value in given])
            return [*columns, *((rows == place).astype(float) for place in places.values())]
        known = {value: hp.value_to_prob(value) for value in set(given) - {None}}
        return [*columns, np.array([known.get(value, 0.0) for value in given])]


class CellPaths(Encoding):
    """How often each sequence of operations leads from the input of a cell to its output.

    Operations that do nothing are left out of sequences, and a path with an operation that gives nothing is none, so
    that cells which compute the same function mostly have the same numbers. `1x1 after 3x3` is another sequence than
    `3x3 after 1x1`.

    Args:
        edges: Name of the hyper-parameter of each edge, and its nodes `(source, target)`; the least node is the input,
            the greatest the output.
        zero: Operations that give nothing.
        identity: Operations that do nothing.
        one_hot: Whether the columns of `OneHot` come first. Default: True.

    Raises:
        ValueError: If an edge does not lead to a greater node.

    Example:

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> _ = [hp.Choice(name, ["none", "skip", "conv"]) for name in ("a", "b", "ab")]
    >>> paths = CellPaths({"a": (0, 1), "b": (1, 2), "ab": (0, 2)}, zero=["none"], identity=["skip"], one_hot=False)
    >>> cells = [{"a": "conv", "b": "skip", "ab": "none"}, {"a": "skip", "b": "conv", "ab": "conv"}]
    >>> paths.encode(Points(hp), cells).tolist()  # sequences: (), (conv,), (conv, conv)
    [[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]

    Reference: White et al., BANANAS, https://arxiv.org/abs/1910.11858, say which paths are there; that we count them,
    and leave out what does nothing, is ours.
    """

    def __init__(
        self,
        edges: Mapping[str, tuple[int, int]],
        *,
        zero: Sequence[str] = ("none",),
        identity: Sequence[str] = ("skip_connect",),
        one_hot: bool = True,
    ) -> None:
        self.edges = {name: (int(source), int(target)) for name, (source, target) in edges.items()}
        if not self.edges or any(source >= target for source, target in self.edges.values()):
            raise ValueError(
                "Edges must lead from a node to a greater one. "
                f"Received: edges={dict(edges)}. Give, for example, {{'edge': (0, 1)}}."
            )
        self.zero, self.identity, self.one_hot = tuple(zero), tuple(identity), bool(one_hot)

    @classmethod
    def of_nas_bench_201(cls, *, one_hot: bool = True) -> "CellPaths":
        """For `keras_dha.spaces.NASBench201Space`."""
        edges = {f"edge_{target}_from_{source}": (source, target) for target in range(1, 4) for source in range(target)}
        return cls(edges, one_hot=one_hot)

    def encode(self, points: Points, values: Sequence[Values]) -> np.ndarray:
        """See `Encoding`."""
        options = {hp.name: list(hp.values) for hp in points.space if hp.name in self.edges}
        codes = {name: _codes(options[name], name, values) for name in self.edges}
        places: dict[tuple[str, ...], int] = {(): 0}
        counted: list[np.ndarray] = []  # for each path, the column that it adds to in each row, or -1
        for path in self._paths(min(source for source, _ in self.edges.values())):
            chains = list(itertools.product(*(options[name] for name in path)))
            column = [places.setdefault(self._acting(c), len(places)) if self._is_path(c) else -1 for c in chains]
            shape = [len(options[name]) for name in path]
            counted.append(np.array(column)[np.ravel_multi_index([codes[name] for name in path], shape)])
        counts = np.zeros((len(values), len(places)))
        for columns in counted:
            rows = np.flatnonzero(columns >= 0)
            counts[rows, columns[rows]] += 1
        return np.hstack([OneHot().encode(points, values), counts]) if self.one_hot else counts

    def _paths(self, node: int) -> list[tuple[str, ...]]:
        """The names of the edges of all paths from a node to the output."""
        last = max(target for _, target in self.edges.values())
        starts = [(name, target) for name, (source, target) in self.edges.items() if source == node]
        return [(name, *rest) for name, target in starts for rest in ([()] if target == last else self._paths(target))]

    def _is_path(self, operations: Sequence[str]) -> bool:
        return not any(operation in self.zero for operation in operations)

    def _acting(self, operations: Sequence[str]) -> tuple[str, ...]:
        return tuple(operation for operation in operations if operation not in self.identity)


def _codes(options: Sequence[Any], name: str, values: Sequence[Values]) -> np.ndarray:
    """The number of the option of each point."""
    numbers = {option: number for number, option in enumerate(options)}
    return np.array([numbers[point[name]] for point in values], dtype=int)
