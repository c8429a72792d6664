"""A cost that the derived network has, met in every step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.costs import SpaceCost
from keras_dha.penalties.penalty import Penalty, Tensor
from keras_dha.relaxations import Relaxation
from keras_dha.spaces import SearchSpace

_ROUNDS, _CANDIDATES = 5, 33  # of the search for how far to go: to 2e-8 of the way
_TRIES = 200  # of channels that may fit where others did not
_NEAR = 0.98  # of the bound, when the search for such channels ends
_FLOOR = 0.05  # of the slope of a gate that is nearly 0 or 1


@keras.saving.register_keras_serializable(package="keras_dha")
class CostTarget(Penalty):
    """Keeps the cost of the soft gates at a bound while they become 0 or 1; then what is kept costs no more.

    After each step of the gates, logits move by `-t * prices * slopes`, the direction in which the cost falls, or
    rises, fastest, as far as brings the cost to the bound: a projection. So the gates that the loss defends stay open
    at the expense of others, and a dear channel has to be worth more than a cheap one. When the search ends, the best
    channels are kept that fit, and the bound is not passed; where a width keeps multiples, channels of neighbouring
    ranks come together, by their mean logit.

    Args:
        max_multiply_adds: Of one example: a number, or a share in (0, 1] of what the network costs with all gates
            open. None: no bound.
        max_parameters: Likewise.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If neither is given, or one is not positive; when the search begins, if a bound cannot be met.

    Example:

    >>> target = CostTarget(max_multiply_adds=0.5)

    The method is ours.
    """

    def __init__(
        self, max_multiply_adds: float | None = None, max_parameters: float | None = None, **kwargs: Any
    ) -> None:
        kwargs.pop("weight", None)
        super().__init__(1.0, **kwargs)
        self.bounds = {"multiply_adds": max_multiply_adds, "parameters": max_parameters}
        given = [bound for bound in self.bounds.values() if bound is not None]
        if not given or not all(0.0 < bound < float("inf") for bound in given):
            raise ValueError(
                "max_multiply_adds or max_parameters must be a positive number, or a share of at most 1. "
                f"Received: max_multiply_adds={max_multiply_adds}, max_parameters={max_parameters}. For example 0.5."
            )

    def prepare(self, relaxations: Mapping[str, Relaxation], space: SearchSpace | None = None) -> None:
        """Learns what the networks of the space cost."""
        self.built = True
        if space is None:
            raise ValueError("A cost must be of a space. Received: space=None. Use the penalty in a SearchModel.")
        self._costs: list[tuple[SpaceCost, float]] = []
        for kind, bound in self.bounds.items():
            if bound is None:
                continue
            cost = SpaceCost(space, kind)
            target = bound * cost.most if bound <= 1.0 else float(bound)
            least = cost.of_hard(self._least(relaxations, cost))
            if least > target:
                raise ValueError(
                    f"max_{kind} must be within reach. Received: {bound:g}, of {cost.most:g} {kind} with all channels; "
                    f"with the fewest that may be kept there are {least:g}. Raise it, or lower min_channels."
                )
            self._costs.append((cost, min(target, cost.most)))
        self._gates = [relaxations[name] for name in self._costs[0][0].names]
        self._numbers = [frozenset(part.choice.numbers) for part in self._gates]

    @staticmethod
    def _least(relaxations: Mapping[str, Relaxation], cost: SpaceCost) -> np.ndarray:
        fewest = [relaxations[name].choice.fewest for name in cost.names]
        return np.concatenate([np.arange(size) < least for size, least in zip(cost.sizes, fewest)])

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """0: the bound is kept otherwise."""
        return ops.zeros(())

    def _ratios(self, weights: Tensor) -> Tensor:
        """The cost of each column in units of its bound, of the bound that is passed by most: `(n,)`."""
        return ops.max(ops.stack([cost.of_columns(weights) / target for cost, target in self._costs]), axis=0)

    def step(self, relaxations: Mapping[str, Relaxation], moved: Tensor) -> None:
        """Brings the cost of the soft gates to the bound."""
        logits = ops.concatenate([ops.convert_to_tensor(part.logits) for part in self._gates])
        scale = ops.cast(self._gates[0].present_scale(), "float32")
        weights = ops.sigmoid(scale * logits)
        ratios = ops.stack([cost.of_soft(weights) / target for cost, target in self._costs])
        prices = ops.stack([cost.prices(weights) / target for cost, target in self._costs])
        prices = ops.take(prices, ops.argmax(ratios), axis=0)
        way = prices * (weights * (1.0 - weights) + _FLOOR)
        way = way / ops.maximum(ops.max(way), 1e-30)
        reach = (ops.max(ops.abs(logits)) + 20.0 / scale) / ops.maximum(ops.min(way), 1e-6)

        low, high = -reach, reach
        for _ in range(_ROUNDS):  # the cost falls with t: many of them at once, then between the two nearest ones
            t = low + (high - low) * ops.linspace(0.0, 1.0, _CANDIDATES)
            costs = self._ratios(ops.sigmoid(scale * (logits[:, None] - t[None, :] * way[:, None])))
            first = ops.sum(ops.cast(costs > 1.0, "int32"))  # of those that fit
            low, high = (ops.take(t, ops.clip(first - back, 0, _CANDIDATES - 1)) for back in (1, 0))
        reached = ops.where(moved, logits - high * way, logits)
        parts = ops.split(reached, np.cumsum(self._costs[0][0].sizes)[:-1].tolist())
        for part, value in zip(self._gates, parts):
            part.logits.assign(value)

    def _use(self, gates: np.ndarray) -> float:
        """The cost with hard gates in units of its bound; infinite if a width may not have so many channels."""
        counts = np.add.reduceat(gates.astype(int), np.cumsum([0, *self._costs[0][0].sizes[:-1]]))
        if not all(count in numbers for count, numbers in zip(counts, self._numbers)):
            return math.inf
        return max(cost.of_hard(gates) / target for cost, target in self._costs)

    def _filled(self, gates: np.ndarray, order: Sequence[np.ndarray], besides: int | None = None) -> np.ndarray:
        """These gates, and of the groups that are closed, but for one, in order, those that fit."""
        gates, firsts = gates.copy(), np.array([group[0] for group in order], int)
        closed = [number for number in np.flatnonzero(~gates[firsts]).tolist() if number != besides]
        for number in closed[:_TRIES]:
            gates[order[number]] = True
            gates[order[number]] = self._use(gates) <= 1.0
        return gates

    def finish(self, relaxations: Mapping[str, Relaxation]) -> None:
        """Opens the channels of largest logits that fit, and closes the others; outside of graphs."""
        values = [ops.convert_to_numpy(part.logits) for part in self._gates]
        starts = np.cumsum([0, *map(len, values)])
        must = np.zeros(starts[-1], dtype=bool)
        groups: list[tuple[float, np.ndarray]] = []  # channels that open together, and their mean logit
        for part, value, start in zip(self._gates, values, starts):
            best = np.argsort(-value, kind="stable")
            must[start + best[: part.choice.fewest]] = True
            steps = np.split(best, part.choice.numbers)[1:-1]
            groups += [(float(value[step].mean()), start + step) for step in steps]
        order = [group for _, group in sorted(groups, key=lambda group: -group[0])]

        def opened(number: int) -> np.ndarray:
            gates = must.copy()
            gates[np.concatenate([*order[:number], np.zeros(0, int)])] = True
            return gates

        low, high = 0, len(order)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._use(opened(middle)) <= 1.0 else (low, middle - 1)
        gates = self._filled(opened(low), order)
        for number in range(low - 1, max(low - 1 - _TRIES, -1), -1):  # a dear channel may stand in the way of several
            if self._use(gates) >= _NEAR:
                break
            others = gates.copy()
            others[order[number]] = False
            others = self._filled(others, order, besides=number)
            gates = others if self._use(gates) < self._use(others) <= 1.0 else gates
        parts = np.split(gates, np.cumsum(self._costs[0][0].sizes)[:-1])
        for part, value, is_open in zip(self._gates, values, parts):
            edge = 2.0 * max(float(part.least_logit()), 1e-6)
            part.logits.assign(np.where(is_open, np.maximum(value, edge), np.minimum(value, -edge)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        config = super().get_config()
        del config["weight"]
        return {**config, **{f"max_{kind}": bound for kind, bound in self.bounds.items()}}
