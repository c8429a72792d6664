"""A model with some of its layers replaced."""

from collections.abc import Callable
from typing import Any

import keras

from keras_dha.channels import all_layers, is_model


def with_replaced(layer: Any, is_replaced: Callable[[Any], bool], replace: Callable[[Any], Any]) -> Any:
    """`layer`, with each layer in it, also in nested models, replaced for which `is_replaced`.

    Weights are kept. Layers that are not models are left as they are, whatever they hold inside.

    Args:
        layer: A model, or a layer.
        is_replaced: Says it of a layer.
        replace: From a layer to one with the same weights.
    """
    if is_replaced(layer):
        return replace(layer)
    if not is_model(layer) or not any(map(is_replaced, all_layers(layer))):
        return layer
    clone = keras.models.clone_model(layer, clone_function=lambda inner: with_replaced(inner, is_replaced, replace))
    if layer.built and clone.built:
        clone.set_weights(layer.get_weights())
    return clone
