"""The weights as a few long vectors, for what hyper-parameters ask of a step."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Hyperparameter

Tensor = Any


class WeightGroups:
    """Weights on which the same hyper-parameters act, joined to one vector.

    A supernet has hundreds of small weights. Sums over each by itself take a graph longer than that of the network.

    Args:
        weights: All weights of the step.
        parts: The hyper-parameters.
    """

    def __init__(self, weights: Sequence[keras.Variable], parts: Sequence[Hyperparameter]) -> None:
        self._weights = list(weights)
        self._parts = list(parts)
        self._groups: dict[tuple[str, tuple[bool, ...]], list[int]] = {}
        for position, weight in enumerate(weights):
            key = (str(weight.dtype), tuple(part.acts_on(weight) for part in parts))
            self._groups.setdefault(key, []).append(position)

    def __len__(self) -> int:
        """How many weights there are."""
        return len(self._weights)

    def vectors(self, tensors: Sequence[Tensor | None]) -> list[Tensor]:
        """One tensor a weight, joined to one vector a group; None stands for zeros."""
        return [
            ops.concatenate([self._flat(tensors[position], position) for position in positions])
            for positions in self._groups.values()
        ]

    def _flat(self, tensor: Tensor | None, position: int) -> Tensor:
        weight = self._weights[position]
        tensor = ops.zeros(weight.shape, weight.dtype) if tensor is None else tensor
        return ops.reshape(tensor, (math.prod(weight.shape),))

    def hypergradients(
        self, held_out_gradients: Sequence[Tensor | None], before: Sequence[Tensor], learning_rate: Tensor
    ) -> list[Tensor]:
        """Of each hyper-parameter, through the step that has just brought the weights where they are.

        Args:
            held_out_gradients: Of the held-out loss, one tensor or None for each weight.
            before: What `vectors(weights)` was before the step.
            learning_rate: Of the step.
        """
        slopes, after = self.vectors(held_out_gradients), self.vectors(self._weights)
        moved = [ops.subtract(new, old) for new, old in zip(after, before)]
        # The weights of a branch that rested are put back to the last bit, and were not decayed.
        took_part = [ops.where(ops.not_equal(step, 0.0), old, 0.0) for step, old in zip(moved, before)]
        found = []
        for number, part in enumerate(self._parts):
            mine = [position for position, (_, acts) in enumerate(self._groups) if acts[number]]
            of_mine = [[vectors[position] for position in mine] for vectors in (slopes, moved, took_part)]
            found.append(part.hypergradient(of_mine[0], of_mine[1], of_mine[2], learning_rate))
        return found
