"""From the user's pixels to the network's inputs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class ImageScaling(keras.layers.Layer):
    """Pixels to `[0, 1]`, where augmentation works, and from there to zero mean and unit variance a channel.

    `unit(x) = (x - low) / (high - low)`, `standardize(u) = (u - mean) / std`. All four numbers are adapted to the
    training data once, before the first step, and saved. `as_rescaling` folds both into one stock layer.

    Args:
        channels: Size of the last axis.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")  # half precision cannot tell the pixels of a byte apart
        super().__init__(**kwargs)
        self.channels = channels
        self.range = self._constant("range", 2, "zeros")
        self.mean = self._constant("mean", channels, "zeros")
        self.std = self._constant("std", channels, "ones")
        self.range.assign([0.0, 1.0])
        self.built = True

    def _constant(self, name: str, size: int, initializer: str) -> keras.Variable:
        return self.add_weight(shape=(size,), initializer=initializer, trainable=False, name=name, dtype="float32")

    def adapt(self, low: float, high: float, mean: Sequence[float], std: Sequence[float]) -> None:
        """Takes the range of a pixel, and the mean and standard deviation of each channel, in the user's units."""
        width = (high - low) or 1.0
        self.range.assign([low, low + width])
        self.mean.assign((np.asarray(mean) - low) / width)
        self.std.assign(np.maximum(np.asarray(std) / width, 1e-3))  # a constant channel must not divide by zero

    def keep(self, low: float, high: float) -> None:
        """Takes the range of a pixel, in which the network is to see them."""
        width = (high - low) or 1.0
        self.range.assign([low, low + width])
        self.mean.assign(np.full(self.channels, -low / width))
        self.std.assign(np.full(self.channels, 1.0 / width))

    def unit(self, images: Tensor) -> Tensor:
        """The user's pixels in `[0, 1]`, float32."""
        low, high = self.range[0], self.range[1]
        return (ops.cast(images, "float32") - low) / (high - low)

    def standardize(self, images: Tensor) -> Tensor:
        """Pixels in `[0, 1]` with zero mean and unit variance a channel."""
        return (images - self.mean) / self.std

    def call(self, images: Tensor) -> Tensor:
        """The user's pixels, ready for the network."""
        return self.standardize(self.unit(images))

    def as_rescaling(self, width: int | None = None) -> keras.layers.Rescaling:
        """The same function as one stock layer.

        Args:
            width: Of the images, in pixels, where it is known; see `fast_rescaling`.
        """
        (low, high), mean, std = (value.numpy().astype("float64") for value in (self.range, self.mean, self.std))
        return fast_rescaling(1.0 / ((high - low) * std), -(low / (high - low) + mean) / std, width)

    def get_config(self) -> dict[str, Any]:
        """The number of channels."""
        return {**super().get_config(), "channels": self.channels}


def fast_rescaling(scale: np.ndarray, offset: np.ndarray, width: int | None) -> keras.layers.Rescaling:
    """`x * scale + offset`, in the form that runtimes are fastest with: one number, or all those of a row of pixels.

    LiteRT takes numbers for each of three channels 3 by 3: for pictures of 224 x 224 that is a third of the time of a
    MobileNetV3Small, and a thirtieth where a row of them is written out.

    Args:
        scale: `(channels,)`.
        offset: `(channels,)`.
        width: Of the images, in pixels; None: not known, then there is a number a channel.
    """
    if np.all(scale == scale[0]) and np.all(offset == offset[0]):
        return keras.layers.Rescaling(float(scale[0]), float(offset[0]), dtype="float32")
    rows = [values.tolist() if width is None else [values.tolist()] * width for values in (scale, offset)]
    return keras.layers.Rescaling(*rows, dtype="float32")
