"""Layers that come in several sizes, the smaller ones parts of the larger ones."""

from collections.abc import Sequence
from typing import Any

import keras

Tensor = Any


def depthwise(kernel: int, strides: int = 1, dilation: int = 1) -> list[keras.layers.Layer]:
    """A depthwise convolution without bias, padded alike on both sides; the last layer has its kernel."""
    he_normal = keras.initializers.RandomNormal(stddev=2.0**0.5 / kernel)
    options = {"use_bias": False, "dilation_rate": dilation, "depthwise_initializer": he_normal}
    if strides == 1:
        return [keras.layers.DepthwiseConv2D(kernel, padding="same", **options)]
    return [keras.layers.ZeroPadding2D(kernel // 2), keras.layers.DepthwiseConv2D(kernel, strides, **options)]


def squeeze_excite(size: int, channels: int) -> list[keras.layers.Layer]:
    """The two products of a squeeze-and-excitation, as convolutions."""
    return [keras.layers.Conv2D(size, 1, activation="relu"), keras.layers.Conv2D(channels, 1, activation="sigmoid")]


def squeezed_and_excited(products: Sequence[keras.layers.Layer], x: Tensor) -> Tensor:
    """`x`, each channel times what the products make of all means."""
    scales = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    for product in products:
        scales = product(scales)
    return keras.layers.Multiply()([x, scales])
