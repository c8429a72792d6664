"""Layers that close channels."""

import abc
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


class Gate(keras.layers.Layer, abc.ABC):
    """A layer that multiplies each channel, the last axis, with a number of its own, which is 0 for closed ones."""

    @abc.abstractmethod
    def open_channels(self) -> np.ndarray:
        """Which channels are open now: bool, shape `(channels,)`."""


@keras.saving.register_keras_serializable(package="keras_dha")
class ChannelMask(Gate):
    """`y = x` in open channels, and 0 in closed ones, until `remove_closed` takes these out for good.

    Args:
        is_open: Which channels are open: bool, one a channel.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If the input has another number of channels; when it is called.

    Example:

    >>> ChannelMask([True, False])(keras.ops.ones((1, 2))).numpy()
    array([[1., 0.]], dtype=float32)
    """

    def __init__(self, is_open: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_open = np.array(is_open, dtype=bool)

    def build(self, input_shape: Any) -> None:
        """Checks the number of channels."""
        if input_shape[-1] != len(self._is_open):
            raise ValueError(
                f"A mask must have one entry a channel. Received: {len(self._is_open)} for {input_shape[-1]} "
                f"channels in {self.name!r}. Give one truth value a channel."
            )

    def open_channels(self) -> np.ndarray:
        """As given."""
        return self._is_open

    def call(self, inputs: Tensor) -> Tensor:
        """Closed channels are 0."""
        return inputs * ops.convert_to_tensor(self._is_open.astype("float32"), dtype=inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "is_open": self._is_open.tolist()}
