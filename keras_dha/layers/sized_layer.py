"""Layers of a supernet whose smaller sizes are parts of their larger ones."""

import abc
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.spaces import Choice

Tensor = Any


def parts_of(weights: Tensor) -> Tensor:
    """From weights of nested options to those of the parts that each adds, `(num_options,)`.

    A part is there as far as its option, or a later one, is: `sum of w_i from j on / sum of all w_i`; the first one is
    always. The last sum takes no gradient: it is 1 but for relaxations that scale what they keep.
    """
    total = ops.stop_gradient(ops.maximum(ops.sum(weights), 1e-12))
    return ops.flip(ops.cumsum(ops.flip(weights))) / total


class KeptWeights:
    """What a derived layer takes over: `get_weights()`, as of a layer."""

    def __init__(self, *weights: Any) -> None:
        self._weights = [ops.convert_to_numpy(weight) for weight in weights]

    def get_weights(self) -> list[np.ndarray]:
        """In the order of the derived layer's own."""
        return self._weights


class SizedLayer(keras.layers.Layer, abc.ABC):
    """A layer of one of several sizes, which runs once in a supernet, in the largest; parts of it are weighted.

    Args:
        choice: A choice of nested options, one a size.
        sizes: The sizes, rising.
        **kwargs: Of `keras.layers.Layer`.
    """

    def __init__(self, choice: Choice, sizes: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choice = choice
        self.sizes = sizes
        self._position: int | None = None

    def settle(self, kept: Mapping[int, float]) -> None:
        """Keeps the size at this position. Graphs must be traced anew."""
        (self._position,) = kept

    def reopen(self) -> None:
        """Takes `settle` back. Graphs must be traced anew."""
        self._position = None

    def call(self, inputs: list[Tensor]) -> Tensor:
        """The weighted parts, or what is settled. `inputs`: a tensor, and the weights of the options."""
        x, weights = inputs
        if self._position is not None:
            return self._settled(x, self._position)
        return self._mixed(x, ops.cast(parts_of(weights), self.compute_dtype))

    @abc.abstractmethod
    def part_sizes(self) -> Tensor:
        """How large the weights of each part but the first are: root mean squares, `(num_options - 1,)`."""

    @abc.abstractmethod
    def kept(self, position: int) -> list[KeptWeights]:
        """Weights of the derived layers of a size, in the order of `FixedChooser`'s."""

    @abc.abstractmethod
    def _mixed(self, x: Tensor, parts: Tensor) -> Tensor:
        """With weights of parts, `(num_options,)`, of which the first is always there."""

    @abc.abstractmethod
    def _settled(self, x: Tensor, position: int) -> Tensor:
        """In one size."""


def rms(values: Tensor) -> Tensor:
    """The root of the mean square, with a finite gradient at 0."""
    return ops.sqrt(ops.mean(ops.square(ops.convert_to_tensor(values))) + 1e-12)
