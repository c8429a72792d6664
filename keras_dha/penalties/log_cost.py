"""A pull towards cheap networks."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.costs import COSTS, BlockCost, multiply_adds, parameters
from keras_dha.penalties.budget import latency_of
from keras_dha.penalties.penalty import Penalty, Tensor
from keras_dha.relaxations import Relaxation
from keras_dha.spaces import SearchSpace


@keras.saving.register_keras_serializable(package="keras_dha")
class LogCost(Penalty):
    """`weight * log(cost)`, of the options' shares; the weight is the trade-off, and is to be tried out.

    `Budget` finds it, for a bound that one has in mind.

    Args:
        weight: At least 0.
        kind: `"multiply_adds"` or `"parameters"`; not read if there is a table.
        table: A `keras_dha.costs.LatencyTable`, or a `BlockCost`: then the cost is milliseconds.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If the kind is unknown, or the weight negative.

    Example:

    >>> pull = LogCost(0.1, kind="parameters")

    Reference: Stamoulis et al., Single-Path NAS, https://arxiv.org/abs/1904.02877. Its pull moves weights, too; here
    thresholds alone.
    """

    def __init__(self, weight: float, kind: str = "multiply_adds", *, table: Any = None, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)
        if kind not in COSTS:
            raise ValueError(f"kind must be one of {COSTS}. Received: kind={kind!r}. Choose one.")
        self.kind = kind
        self.table = keras.saving.deserialize_keras_object(table) if isinstance(table, Mapping) else table

    def prepare(self, relaxations: Mapping[str, Relaxation], space: SearchSpace | None = None) -> None:
        """Learns what the networks of the space cost."""
        self.built = True
        if space is None:
            raise ValueError("A cost must be of a space. Received: space=None. Use the penalty in a SearchModel.")
        counted = multiply_adds if self.kind == "multiply_adds" else parameters
        self._cost = BlockCost.measure(space, counted) if self.table is None else latency_of(self.table, space)

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        shares = {name: relaxations[name].shares(relaxations[name].logits) for name in self._cost.names}
        return self.weight * ops.log(self._cost(shares))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        table = None if self.table is None else keras.saving.serialize_keras_object(self.table)
        return {**super().get_config(), "kind": self.kind, "table": table}
