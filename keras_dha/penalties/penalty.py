"""A pull on the architecture that no example exerts."""

import abc
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.relaxations import Relaxation
from keras_dha.spaces import SearchSpace

Tensor = Any


class Penalty(keras.layers.Layer, abc.ABC):
    """A scalar function of the relaxations, whose gradient is added to that of the loss of the architecture.

    It sees relaxations through their contract alone: weights, and what they would keep. State is kept in variables.

    Args:
        weight: What the penalty is multiplied by, at least 0.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If the weight is negative or not finite.
    """

    def __init__(self, weight: float, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        if not 0.0 <= weight < float("inf"):
            raise ValueError(
                f"The weight of a penalty must be at least 0. Received: weight={weight}. For none, leave it out."
            )
        self.weight = float(weight)

    def prepare(self, relaxations: Mapping[str, Relaxation], space: SearchSpace | None = None) -> None:
        """Makes the state; the relaxations are built.

        Args:
            relaxations: Choice name to relaxation.
            space: What is searched; penalties of costs need it.
        """
        self.built = True

    @abc.abstractmethod
    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty.

        Args:
            relaxations: Choice name to relaxation.
            share: How much of the search is done, in [0, 1].

        Returns:
            A scalar, differentiable in the logits.
        """

    def step(self, relaxations: Mapping[str, Relaxation], moved: Tensor) -> None:
        """Called after each search step, inside the graph. Does nothing, unless overridden.

        Args:
            relaxations: Choice name to relaxation.
            moved: Whether the architecture was updated in this step, a boolean tensor.
        """

    def finish(self, relaxations: Mapping[str, Relaxation]) -> None:
        """Called once when the search ends, outside of graphs. Does nothing, unless overridden."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "weight": self.weight}


def soft_and_kept(relaxation: Relaxation) -> tuple[Tensor, Tensor]:
    """Weights of options, without noise, and as a constant the 0/1 weights of what would be kept: `(num_options,)`."""
    logits = ops.convert_to_tensor(relaxation.logits)
    return relaxation(logits), ops.stop_gradient(relaxation.harden(logits))


def norm(residuals: list[Tensor], *, squared: bool) -> Tensor:
    """The Frobenius norm over all tensors, or its square; with a gradient of 0 where all are 0."""
    total = sum(ops.sum(ops.square(residual)) for residual in residuals)
    return total if squared else ops.sqrt(total + 1e-12)
