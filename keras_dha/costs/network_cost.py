"""What one network costs."""

import math
from typing import Any

import keras
import numpy as np

from keras_dha.channels import ChannelGraph

COSTS = ("multiply_adds", "parameters")


def multiply_adds(model: keras.Model, *, exclude: Any = ()) -> int:
    """The multiplications, each with an addition, that a forward pass of one example takes.

    Those of convolutions, depthwise and separable ones, and of dense layers. Biases, normalization, activations and
    pooling count nothing, as is customary; many papers call this number FLOPs.

    Args:
        model: A functional or `Sequential` model, built on inputs of a fixed size.
        exclude: Names of layers, regular expressions, or layers, that count nothing: those of unknown kinds.

    Raises:
        ValueError: If a layer is of an unknown kind and not excluded, or a size is unknown.

    Example:

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3, padding="same")])
    >>> multiply_adds(model)
    27648
    """
    return _cost(model, "multiply_adds", exclude)


def parameters(model: keras.Model, *, exclude: Any = ()) -> int:
    """The numbers in a model's weights, moving statistics included: `model.count_params()`, where all layers are known.

    Args:
        model: A functional or `Sequential` model, built.
        exclude: As in `multiply_adds`; parameters of excluded layers count.

    Raises:
        ValueError: As `multiply_adds`.
    """
    return _cost(model, "parameters", exclude)


def model_bytes(model: keras.Model) -> int:
    """The bytes that a model's weights take, as they are stored.

    Args:
        model: A built model.
    """
    return sum(math.prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in model.weights)


def _cost(model: keras.Model, kind: str, exclude: Any) -> int:
    total = 0.0
    for term in ChannelGraph.of(model, exclude).terms(kind):
        sizes = [1 if numbers is None else len(numbers) for numbers in (term.inputs, term.outputs)]
        total += term.factor * sizes[0] * sizes[1]
    return round(total)
