"""Dropout with a rate that has a gradient."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_dha.layers.replaced_layers import with_replaced

Tensor = Any
_TEMPERATURE = 0.1


class LearnedDropout(keras.layers.Dropout):
    """Drops as `keras.layers.Dropout`; the rate is asked for in each call, and has a gradient.

    What is kept is 0 or 1, drawn: `u >= rate`. Its gradient is that of `sigmoid((logit(u) - logit(rate)) / 0.1)`. A
    layer of a search model only: its rate is part of no file.

    Args:
        rate: Gives the rate, a scalar in (0, 1).
        drops: Says, when a graph is made, whether anything is dropped in it.
        **kwargs: Of `keras.layers.Dropout`.
    """

    def __init__(self, rate: Callable[[], Tensor], drops: Callable[[], bool], **kwargs: Any) -> None:
        super().__init__(0.5, **kwargs)
        self._rate_and_drops = (rate, drops)  # functions, which Keras does not look into for variables

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Inputs, some 0 and the others larger, if training."""
        rate, drops = self._rate_and_drops
        if not training or not drops():
            return inputs
        shape = ops.shape(inputs)
        if self.noise_shape is not None:
            shape = tuple(own if given is None else given for own, given in zip(shape, self.noise_shape, strict=True))
        share = ops.clip(rate(), 1e-6, 1.0 - 1e-6)
        noise = ops.clip(keras.random.uniform(shape, seed=self.seed_generator), 1e-6, 1.0 - 1e-6)
        soft = ops.sigmoid((_logit(noise) - _logit(share)) / _TEMPERATURE)
        kept = soft + ops.stop_gradient(ops.cast(noise >= share, "float32") - soft)
        return inputs * ops.cast(kept / (1.0 - share), inputs.dtype)


def _logit(x: Tensor) -> Tensor:
    return ops.log(x) - ops.log(1.0 - x)


def with_learned_dropout(model: keras.Model, parts: list[Any]) -> tuple[keras.Model, list[str]]:
    """A model whose stock dropout takes the rates that are learned, with its weights, and the names of these layers.

    Args:
        model: A functional model; nested models are looked into, other layers are not.
        parts: `keras_dha.hyperparameters.DropoutRate`s; of several that name a layer, the first one with a `where`.
    """
    found: list[str] = []

    def learned(layer: keras.layers.Dropout, part: Any) -> keras.layers.Layer:
        found.append(layer.name)
        config = {key: value for key, value in layer.get_config().items() if key != "rate"}
        return LearnedDropout(part.value, lambda: part.drops, **config)

    return _with_dropout(model, parts, learned), found


def with_dropout_rates(model: keras.Model, parts: list[Any]) -> keras.Model:
    """A model whose stock dropout has the rates that were learned, as numbers, with its weights."""

    def fixed(layer: keras.layers.Dropout, part: Any) -> keras.layers.Layer:
        return keras.layers.Dropout.from_config(
            {**layer.get_config(), "rate": float(ops.convert_to_numpy(part.value()))}
        )

    return _with_dropout(model, parts, fixed)


def _with_dropout(model: Any, parts: list[Any], make: Callable[[Any, Any], keras.layers.Layer]) -> Any:
    return with_replaced(
        model, lambda layer: rate_of(layer, parts) is not None, lambda layer: make(layer, rate_of(layer, parts))
    )


def rate_of(layer: keras.layers.Layer, parts: list[Any]) -> Any:
    """The part that is the rate of a layer; None if there is none, or the layer is no stock dropout."""
    if type(layer) is not keras.layers.Dropout:
        return None
    named = [part for part in parts if part.where and part.names(layer.name)]
    general = [part for part in parts if not part.where]
    return next(iter([*named, *general]), None)
