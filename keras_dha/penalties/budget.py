"""Bounds of what the derived network costs, met by the search."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.costs import BlockCost, model_bytes, multiply_adds, parameters
from keras_dha.penalties.penalty import Penalty, Tensor
from keras_dha.relaxations import Relaxation
from keras_dha.spaces import SearchSpace

_COUNTED = {"multiply_adds": multiply_adds, "parameters": parameters, "model_bytes": model_bytes}
_LEAST, _MOST = 1e-4, 1e3  # of a multiplier
_NEAR = 0.98  # of a bound, when the search for better networks ends
_GRAINS = 4000  # that a bound is cut into


@keras.saving.register_keras_serializable(package="keras_dha")
class Budget(Penalty):
    """`sum_k l_k * cost_k / bound_k`, where `l_k <- l_k * exp(rate * (cost_k / bound_k - 1))` after each step.

    The trade-off is found in the search: a multiplier grows while its bound is passed, and falls while there is room
    (dual ascent). Costs are those of the options' shares, `Relaxation.shares`. When the search ends, the likeliest
    network is kept that costs no more than the bounds, and nearly as much.

    For choices that keep one option each; `CostTarget` is for widths.

    Args:
        max_latency_ms: Milliseconds, as `table` predicts them. None: no bound; the others likewise.
        max_multiply_adds: A number, or a share in (0, 1] of the largest network's.
        max_parameters: Likewise.
        max_model_bytes: Likewise, of the weights.
        table: A `keras_dha.costs.LatencyTable`, or a `BlockCost` of milliseconds.
        rate: How fast multipliers move, positive. Defaults to 0.05 a step.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If there is no bound, one is not positive, or `max_latency_ms` and `table` do not come together;
            when the search begins, if no network meets the bounds.

    Example:

    >>> budget = Budget(max_multiply_adds=0.5)

    The method is ours. Single-Path NAS adds `weight * log(latency)`: `LogCost`.
    """

    def __init__(
        self,
        max_latency_ms: float | None = None,
        max_multiply_adds: float | None = None,
        max_parameters: float | None = None,
        max_model_bytes: float | None = None,
        *,
        table: Any = None,
        rate: float = 0.05,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("weight", None)
        super().__init__(1.0, **kwargs)
        self.bounds = {"latency_ms": max_latency_ms, "multiply_adds": max_multiply_adds}
        self.bounds |= {"parameters": max_parameters, "model_bytes": max_model_bytes}
        given = [bound for bound in self.bounds.values() if bound is not None]
        if not given or not all(0.0 < bound < float("inf") for bound in given) or not rate > 0.0:
            raise ValueError(
                "A budget must have a bound, and bounds and the rate must be positive. "
                f"Received: {self.bounds}, rate={rate}. For example max_multiply_adds=0.5."
            )
        if (max_latency_ms is None) != (table is None):
            raise ValueError(
                "max_latency_ms and table must be given together. Received: "
                f"max_latency_ms={max_latency_ms}, table={table!r}. Measure one by LatencyTable.measure(space)."
            )
        self.table = keras.saving.deserialize_keras_object(table) if isinstance(table, Mapping) else table
        self.rate = float(rate)

    def prepare(self, relaxations: Mapping[str, Relaxation], space: SearchSpace | None = None) -> None:
        """Learns what the networks of the space cost."""
        if space is None:
            raise ValueError("A cost must be of a space. Received: space=None. Use the penalty in a SearchModel.")
        self._costs: dict[str, tuple[BlockCost, float]] = {}
        for kind, bound in self.bounds.items():
            if bound is None:
                continue
            cost = latency_of(self.table, space) if kind == "latency_ms" else BlockCost.measure(space, _COUNTED[kind])
            target = bound * cost.most if kind != "latency_ms" and bound <= 1.0 else float(bound)
            if cost.least > target:
                raise ValueError(
                    f"max_{kind} must be within reach. Received: {target:g}; networks of the space have {cost.least:g} "
                    f"to {cost.most:g}. Raise it, or give the space smaller options."
                )
            self._costs[kind] = (cost, target)
        self.multipliers = self.add_weight(
            shape=(len(self._costs),),
            initializer=keras.initializers.Constant(0.1),
            trainable=False,
            name="multipliers",
        )
        self.built = True

    def _ratios(self, relaxations: Mapping[str, Relaxation]) -> Tensor:
        """Each cost in units of its bound, `(num_bounds,)`."""
        names = next(iter(self._costs.values()))[0].names
        shares = {name: relaxations[name].shares(relaxations[name].logits) for name in names}
        return ops.stack([cost(shares) / target for cost, target in self._costs.values()])

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        return ops.sum(ops.stop_gradient(ops.convert_to_tensor(self.multipliers)) * self._ratios(relaxations))

    def step(self, relaxations: Mapping[str, Relaxation], moved: Tensor) -> None:
        """Moves the multipliers."""
        passed = ops.clip(ops.stop_gradient(self._ratios(relaxations)) - 1.0, -1.0, 1.0)
        new = ops.clip(self.multipliers * ops.exp(self.rate * passed), _LEAST, _MOST)
        self.multipliers.assign(ops.where(moved, new, ops.convert_to_tensor(self.multipliers)))

    def finish(self, relaxations: Mapping[str, Relaxation]) -> None:
        """Decides for the likeliest network that fits; outside of graphs."""
        blocks = next(iter(self._costs.values()))[0].blocks
        values = []
        for block in blocks:
            total = np.zeros(())
            for choice in block:
                part = relaxations[choice.name]
                likely = np.log(np.maximum(ops.convert_to_numpy(part.probabilities(part.logits)), 1e-9))
                total = total[..., None] + likely
            values.append(total)
        tables = [[cost.tables[i] / target for cost, target in self._costs.values()] for i in range(len(blocks))]
        constants = np.array([cost.constant / target for cost, target in self._costs.values()])
        kept = best_within([v.ravel() for v in values], [np.stack([t.ravel() for t in ts]) for ts in tables], constants)
        for block, value, position in zip(blocks, values, kept):
            for choice, option in zip(block, np.unravel_index(position, value.shape)):
                relaxations[choice.name].decide([int(option)])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        config = super().get_config()
        del config["weight"]
        table = None if self.table is None else keras.saving.serialize_keras_object(self.table)
        return {
            **config,
            **{f"max_{kind}": bound for kind, bound in self.bounds.items()},
            "table": table,
            "rate": self.rate,
        }


def latency_of(table: Any, space: SearchSpace) -> BlockCost:
    """The cost of blocks that a table of latencies says."""
    return table if isinstance(table, BlockCost) else BlockCost.measure(space, table.predict)


def best_within(values: list[np.ndarray], costs: list[np.ndarray], constants: np.ndarray) -> list[int]:
    """For each block the position of an option, of large total value, so that no cost is above 1, and one is near.

    Args:
        values: For each block what its options are worth, `(options,)`.
        costs: For each block what they cost, `(num_bounds, options)`.
        constants: What is spent in any case, `(num_bounds,)`.
    """

    def spent(kept: list[int]) -> np.ndarray:
        return constants + sum(cost[:, position] for cost, position in zip(costs, kept))

    kept = _knapsack(values, [cost.max(axis=0) for cost in costs], 1.0 - constants.max())
    full = spent(kept).max() >= _NEAR  # what is likelier anywhere may be faster, and single changes do not find back
    for least in (_NEAR,) if full else (0.0, 1.0, _NEAR):  # what is likelier there; or anywhere, then up to the bound
        for _ in range(10 * len(values)):
            now, found = spent(kept), list[tuple[float, int, int]]()
            if least == 1.0 and now.max() >= _NEAR:
                break
            for block, (value, cost) in enumerate(zip(values, costs)):
                others = (now[:, None] - cost[:, kept[block], None] + cost).max(axis=0)
                for option in np.flatnonzero(others <= 1.0).tolist():
                    gain, nearer = value[option] - value[kept[block]], others[option] - now.max()
                    if least == 1.0 and nearer > 1e-6:
                        found.append((gain / nearer, block, option))
                    elif least < 1.0 and gain > 1e-9 and others[option] >= least:
                        found.append((gain, block, option))
            if not found:
                break
            _, block, option = max(found)
            kept[block] = option
    return kept


def _knapsack(values: list[np.ndarray], costs: list[np.ndarray], room: float) -> list[int]:
    """The options of largest total value whose costs fill the room, but for 2 per cent; or come as near as they can."""
    grains = [np.ceil(cost * (_GRAINS / max(room, 1e-9))).astype(int) for cost in costs]
    best = np.full(_GRAINS + 1, -np.inf)  # by what is spent so far
    best[0] = 0.0
    chosen: list[np.ndarray] = []
    for value, grain in zip(values, grains):
        now, taken = np.full(_GRAINS + 1, -np.inf), np.zeros(_GRAINS + 1, dtype=int)
        for option in np.flatnonzero(grain <= _GRAINS).tolist():
            spent = int(grain[option])
            total = np.concatenate([np.full(spent, -np.inf), best[: _GRAINS + 1 - spent] + value[option]])
            taken, now = np.where(total > now, option, taken), np.maximum(total, now)
        best = now
        chosen.append(taken)
    reached = np.flatnonzero(np.isfinite(best))
    if not len(reached):
        return [int(np.argmin(cost)) for cost in costs]
    near = reached[reached >= min(_NEAR * _GRAINS + len(costs), reached.max())]  # each cost is rounded up
    left, kept = int(near[np.argmax(best[near])]), []
    for taken, grain in zip(chosen[::-1], grains[::-1]):
        kept.append(int(taken[left]))
        left -= int(grain[kept[-1]])
    return kept[::-1]
