"""What the open channels cost."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.costs import COSTS, SpaceCost
from keras_dha.penalties.penalty import Penalty, Tensor
from keras_dha.relaxations import Relaxation
from keras_dha.spaces import SearchSpace


@keras.saving.register_keras_serializable(package="keras_dha")
class ExpectedCost(Penalty):
    """`weight * cost / most`, with the cost of gates `sigmoid(logits)`, and what the network costs with all open.

    As `OpenChannels`, but that a dear channel is pulled down more. The gradient does not vanish as gates become 0 or 1.

    Args:
        weight: At least 0. Defaults to 1.0.
        kind: `"multiply_adds"` or `"parameters"`.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If the kind is unknown, or the weight negative.

    Example:

    >>> pull = ExpectedCost(0.1, kind="parameters")

    The method is ours; the released code of DNAL counts channels.
    """

    def __init__(self, weight: float = 1.0, kind: str = "multiply_adds", **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)
        if kind not in COSTS:
            raise ValueError(f"kind must be one of {COSTS}. Received: kind={kind!r}. Choose one.")
        self.kind = kind

    def prepare(self, relaxations: Mapping[str, Relaxation], space: SearchSpace | None = None) -> None:
        """Learns what the networks of the space cost."""
        self.built = True
        if space is None:
            raise ValueError("A cost must be of a space. Received: space=None. Use the penalty in a SearchModel.")
        self._cost = SpaceCost(space, self.kind)

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        names = self._cost.names
        weights = {name: ops.sigmoid(ops.convert_to_tensor(relaxations[name].logits)) for name in names}
        return self.weight * self._cost(weights) / self._cost.most

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "kind": self.kind}
