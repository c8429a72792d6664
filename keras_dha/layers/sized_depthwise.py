"""A depthwise convolution whose smaller kernels are the middles of its largest one."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.layers.sized_layer import KeptWeights, SizedLayer, rms
from keras_dha.spaces import Choice

Tensor = Any


class SizedDepthwise(SizedLayer):
    """`depthwise(x; sum_j c_j * ring_j * kernel)`, ring 0 the smallest kernel, which is always there.

    A kernel with rings of 0 is the smaller one, for padding is alike on both sides: the function is exactly that of the
    derived network where weights are 0 and 1. In between it is the mean of the outputs of all sizes, in one pass.

    Args:
        choice: A choice of nested options, one a size.
        sizes: Odd heights and widths, rising.
        strides: 1 or 2.
        **kwargs: Of `keras.layers.Layer`.

    Reference: the superkernel of Stamoulis et al., Single-Path NAS, https://arxiv.org/abs/1904.02877.
    """

    def __init__(self, choice: Choice, sizes: tuple[int, ...], strides: int = 1, **kwargs: Any) -> None:
        super().__init__(choice, sizes, **kwargs)
        self.strides = strides
        distance = np.abs(np.arange(sizes[-1]) - sizes[-1] // 2)
        reach = np.maximum(distance[:, None], distance[None, :])  # of each place from the middle
        self._rings = np.searchsorted([size // 2 for size in sizes], reach)

    def build(self, input_shape: Any) -> None:
        """Makes the largest kernel, as that of a derived layer starts."""
        size = self.sizes[-1]
        self.depthwise_kernel = self.add_weight(
            shape=(size, size, input_shape[0][-1], 1),
            initializer=keras.initializers.RandomNormal(stddev=2.0**0.5 / size),
            name="depthwise_kernel",
        )

    def _mixed(self, x: Tensor, parts: Tensor) -> Tensor:
        mask = ops.reshape(ops.take(ops.concatenate([ops.ones_like(parts[:1]), parts[1:]]), self._rings.ravel()), (-1,))
        mask = ops.reshape(mask, (*self._rings.shape, 1, 1))
        return self._convolved(x, ops.cast(self.depthwise_kernel, self.compute_dtype) * mask)

    def _settled(self, x: Tensor, position: int) -> Tensor:
        return self._convolved(x, ops.cast(self._middle(position), self.compute_dtype))

    def _middle(self, position: int) -> Tensor:
        edge = (self.sizes[-1] - self.sizes[position]) // 2
        kernel = ops.convert_to_tensor(self.depthwise_kernel)
        return kernel[edge : self.sizes[-1] - edge, edge : self.sizes[-1] - edge]

    def _convolved(self, x: Tensor, kernel: Tensor) -> Tensor:
        if self.strides == 1:
            return ops.depthwise_conv(x, kernel, padding="same")
        edge = kernel.shape[0] // 2
        padded = ops.pad(x, [[0, 0], [edge, edge], [edge, edge], [0, 0]])
        return ops.depthwise_conv(padded, kernel, strides=self.strides, padding="valid")

    def part_sizes(self) -> Tensor:
        """Of each ring."""
        kernel = ops.reshape(ops.convert_to_tensor(self.depthwise_kernel), (self._rings.size, -1))
        places = [np.flatnonzero(self._rings.ravel() == ring) for ring in range(1, len(self.sizes))]
        return ops.stack([rms(ops.take(kernel, place, axis=0)) for place in places])

    def kept(self, position: int) -> list[KeptWeights]:
        """The middle of the kernel."""
        return [KeptWeights(self._middle(position))]

    def compute_output_spec(self, inputs: list[Tensor]) -> Any:
        """As a derived layer."""
        batch, height, width, channels = inputs[0].shape
        sides = [None if side is None else -(-side // self.strides) for side in (height, width)]
        return keras.KerasTensor((batch, *sides, channels), dtype=self.compute_dtype)
