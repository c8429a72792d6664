"""A squeeze-and-excitation whose smaller sizes are parts of its largest one."""

from typing import Any

import keras
from keras import ops

from keras_dha.layers.sized_layer import KeptWeights, SizedLayer, rms
from keras_dha.spaces import Choice

Tensor = Any


class SizedSqueezeExcite(SizedLayer):
    """`x * (1 - c + c * s)`, `s = sigmoid(expand(gates * relu(reduce(mean of x))))`, c the weight of having one at all.

    The squeezed channels that a larger size adds are gated behind their activation: reducing has biases, so that a
    kernel of 0 would not take them out.

    Args:
        choice: A choice of nested options, one a size.
        sizes: Numbers of squeezed channels, rising; 0 is none at all.
        **kwargs: Of `keras.layers.Layer`.

    Reference: that it is searched is said in Stamoulis et al., Single-Path Mobile AutoML,
    https://arxiv.org/abs/1907.00959; how, is ours.
    """

    def __init__(self, choice: Choice, sizes: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(choice, sizes, **kwargs)
        own = [keras.layers.Conv2D(1, 1).kernel_initializer, "zeros"]  # as in the derived layers
        self._initializers = own

    def build(self, input_shape: Any) -> None:
        """Makes the weights of the largest size."""
        channels, largest = input_shape[0][-1], self.sizes[-1]
        shapes = {"reduce": (channels, largest), "reduce_bias": (largest,)}
        shapes |= {"expand": (largest, channels), "expand_bias": (channels,)}
        made = [
            self.add_weight(shape=shape, initializer=self._initializers[len(shape) == 1], name=name)
            for name, shape in shapes.items()
        ]
        self.reduce, self.reduce_bias, self.expand, self.expand_bias = made

    def _excited(self, x: Tensor, gates: Tensor, size: int) -> Tensor:
        """`s`, `(batch, 1, 1, channels)`, by the first squeezed channels."""
        kernels = [
            ops.cast(v, self.compute_dtype) for v in (self.reduce, self.reduce_bias, self.expand, self.expand_bias)
        ]
        means = ops.mean(x, axis=(1, 2))
        squeezed = ops.relu(ops.matmul(means, kernels[0][:, :size]) + kernels[1][:size])
        scales = ops.sigmoid(ops.matmul(squeezed * gates, kernels[2][:size]) + kernels[3])
        return ops.expand_dims(scales, (1, 2))

    def _mixed(self, x: Tensor, parts: Tensor) -> Tensor:
        first = 1 if self.sizes[0] == 0 else 0
        gates = []
        for position, (low, high) in enumerate(zip((0, *self.sizes), self.sizes)):
            if high > low:  # the smallest one that is any has no gate of its own
                gate = parts[position] if position > first else ops.ones_like(parts[0])
                gates.append(ops.broadcast_to(gate, (high - low,)))
        scales = self._excited(x, ops.concatenate(gates), self.sizes[-1])
        return x * (1.0 - parts[1] + parts[1] * scales) if first else x * scales

    def _settled(self, x: Tensor, position: int) -> Tensor:
        size = self.sizes[position]
        return x * self._excited(x, ops.ones((), dtype=self.compute_dtype), size) if size else x

    def part_sizes(self) -> Tensor:
        """Of the reducing weights of each part."""
        kernel = ops.convert_to_tensor(self.reduce)
        return ops.stack([rms(kernel[:, low:high]) for low, high in zip(self.sizes, self.sizes[1:])])

    def kept(self, position: int) -> list[KeptWeights]:
        """Those of both products."""
        size = self.sizes[position]
        if not size:
            return []
        reduce, bias, expand, last = map(
            ops.convert_to_tensor, (self.reduce, self.reduce_bias, self.expand, self.expand_bias)
        )
        return [
            KeptWeights(reduce[None, None, :, :size], bias[:size]),
            KeptWeights(expand[None, None, :size], last),
        ]

    def compute_output_spec(self, inputs: list[Tensor]) -> Any:
        """As the tensor."""
        return keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)
