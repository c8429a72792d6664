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
    start is shared with the other branches of the same input.

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
        x = layer(x, training=training)
    if weight is None:
        return layers[-1](x, training=training)
    if type(layers[-1]) is BatchNormalization:
        return layers[-1](x, training=training, weight=weight)
    output = layers[-1](x, training=training)
    return output * ops.cast(weight, output.dtype)


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


def _layers(branch: keras.layers.Layer) -> list[keras.layers.Layer]:
    """What is run one after the other."""
    return branch.layers if type(branch) is keras.Sequential else [branch]


def _is_plain_relu(layer: keras.layers.Layer) -> bool:
    if type(layer) is not keras.layers.ReLU:
        return False
    return layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
