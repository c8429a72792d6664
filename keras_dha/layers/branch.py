"""Runs a branch of a mixture, in as few passes over memory as there are."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.layers.batch_normalization import BatchNormalization

Tensor = Any


def run(
    branch: keras.layers.Layer,
    x: Tensor,
    weight: Tensor | None,
    training: bool | None,
    rectified: dict[int, Tensor] | None = None,
) -> Tensor:
    """`weight * branch(x)`.

    A batch normalization at the end of the branch takes the weight as a factor of its scale and shift; a ReLU at the
    start is shared with the other branches of the same input; a 1x1 convolution is the product of matrices that it is.

    Args:
        branch: A layer; one that is a `Sequential` is looked into.
        x: Its input.
        weight: A scalar; None for 1.
        training: As in Keras.
        rectified: By the identity of an input, what a ReLU made of it; filled here. None: nothing is shared.
    """
    layers = _layers(branch)
    if rectified is not None and len(layers) > 1 and _is_plain_relu(layers[0]):
        if id(x) not in rectified:
            rectified[id(x)] = layers[0](x)
        x, layers = rectified[id(x)], layers[1:]
    for layer in layers[:-1]:
        x = _apply(layer, x, training)
    if weight is not None and type(layers[-1]) is BatchNormalization:
        return layers[-1](x, training=training, weight=weight)
    output = _apply(layers[-1], x, training)
    return output if weight is None else output * ops.cast(weight, output.dtype)


def add(tensors: list[Tensor]) -> Tensor:
    """The sum of one or more tensors, in one pass over memory where the backend can."""
    if len(tensors) > 2 and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.add_n(tensors)
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


@ops.custom_gradient
def with_credit(output: Tensor, weights: Tensor) -> Any:
    """`output` itself, as if it had been multiplied by the one weight that is 1; only a gradient has more to do.

    What is not multiplied takes no pass over memory, and where nobody asks for the gradient of the weights, neither
    does that.

    Args:
        output: The output of the one branch that ran.
        weights: Of the options: 1 at the one that ran, 0 elsewhere.
    """

    def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
        slope = args[0] if upstream is None else upstream
        return slope, weights * ops.sum(ops.cast(slope * output, weights.dtype))

    return output, gradient


def is_zero(branch: keras.layers.Layer) -> bool:
    """Whether the output of a branch is 0, whatever its input."""
    last = _layers(branch)[-1]
    return type(last) is keras.layers.Rescaling and not np.any(last.scale) and not np.any(last.offset)


def _apply(layer: keras.layers.Layer, x: Tensor, training: bool | None) -> Tensor:
    """`layer(x)`."""
    if type(layer) is keras.layers.Activation and layer.activation is keras.activations.silu:
        return x * ops.sigmoid(x)  # TensorFlow's own cannot be differentiated where it may not run
    if not _is_product(layer, x):
        return layer(x, training=training)
    pixels = ops.reshape(ops.cast(x, layer.compute_dtype), (-1, x.shape[-1]))
    product = ops.matmul(pixels, ops.reshape(ops.cast(layer.kernel, layer.compute_dtype), (-1, layer.filters)))
    return ops.reshape(product, (-1, *x.shape[1:3], layer.filters))


def _is_product(layer: keras.layers.Layer, x: Tensor) -> bool:
    """Whether each output pixel is a matrix times the input pixel in its place, and nothing else."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.built
        and layer.kernel_size == layer.strides == (1, 1)
        and layer.groups == 1
        and not layer.use_bias
        and layer.activation is keras.activations.linear
        and layer.activity_regularizer is None
        and layer.data_format == "channels_last"
        and None not in x.shape[1:]
    )


def _layers(branch: keras.layers.Layer) -> list[keras.layers.Layer]:
    """What is run one after the other."""
    return branch.layers if type(branch) is keras.Sequential else [branch]


def _is_plain_relu(layer: keras.layers.Layer) -> bool:
    if type(layer) is not keras.layers.ReLU:
        return False
    return layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
