"""A model with some of its layers replaced."""

from collections.abc import Callable
from typing import Any

import keras

from keras_dha.spaces.model_space import functional_class


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
    if not _is_model(layer) or not any(map(is_replaced, _all_layers(layer))):
        return layer
    clone = keras.models.clone_model(layer, clone_function=lambda inner: with_replaced(inner, is_replaced, replace))
    if layer.built and clone.built:
        clone.set_weights(layer.get_weights())
    return clone


def _is_model(layer: Any) -> bool:
    return isinstance(layer, keras.Sequential) or type(layer) is functional_class()


def _all_layers(model: Any) -> list[Any]:
    nested = [_all_layers(layer) if _is_model(layer) else [] for layer in model.layers]
    return [*model.layers, *(layer for layers in nested for layer in layers)]
