"""Which rule holds for which layer."""

import re
from collections.abc import Sequence
from typing import Any

import keras

from keras_dha.channels.calls import Call, flat_names
from keras_dha.channels.gate import Gate
from keras_dha.channels.making_rules import Convolution, Dense, Depthwise, Separable
from keras_dha.channels.passing_rules import (
    BatchNormalization,
    Concatenate,
    Each,
    Join,
    Permute,
    Places,
    PReLU,
    Product,
    Quotient,
    Rescaling,
    Reshape,
    Whole,
)
from keras_dha.channels.rule import Rule

_LAYERS: dict[type[Rule], str] = {
    Convolution: "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose",
    Depthwise: "DepthwiseConv1D DepthwiseConv2D",
    Separable: "SeparableConv1D SeparableConv2D",
    Dense: "Dense",
    BatchNormalization: "BatchNormalization",
    PReLU: "PReLU",
    Rescaling: "Rescaling",
    Each: "Activation ReLU LeakyReLU ELU Softmax",
    Places: (
        "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D "
        "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
        "ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D "
        "UpSampling1D UpSampling2D UpSampling3D Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D "
        "AlphaDropout GaussianDropout GaussianNoise ActivityRegularization Identity RepeatVector"
    ),
    Join: "Add Subtract Average Maximum Minimum",
    Product: "Multiply",
    Concatenate: "Concatenate",
    Reshape: "Flatten Reshape",
    Permute: "Permute",
    Whole: (
        "LayerNormalization GroupNormalization RMSNormalization UnitNormalization Normalization InputLayer Embedding"
    ),
}
_OPERATIONS: dict[type[Rule], str] = {
    Join: "Add Subtract Maximum Minimum",
    Product: "Multiply",
    Quotient: "TrueDivide Divide",
    Each: (
        "Relu Relu6 LeakyRelu Elu Selu Gelu Celu Silu Sigmoid HardSigmoid HardSilu Tanh HardTanh Softplus Softsign "
        "Absolute Exp Square Sqrt Negative Clip Softmax LogSoftmax"
    ),
}
_WHOLE_BY_NAME = ("LayerScale",)  # of keras.applications.convnext, which does not say it in public
_PLACES_BY_NAME = ("StochasticDepth",)

_BY_LAYER = {getattr(keras.layers, name): rule() for rule, names in _LAYERS.items() for name in names.split()}
_BY_OPERATION = {name: rule() for rule, names in _OPERATIONS.items() for name in names.split()}
_NOT_THE_LAST = "channels_first"


class GateRule(Places):
    """Channels that a gate can close are zero behind it."""


def rule_of(call: Call, exclude: Sequence[str] = ()) -> Rule:
    """The rule for a call.

    Args:
        call: The call.
        exclude: Regular expressions; layers whose whole name is one of them keep their channels, known or not.

    Raises:
        ValueError: If the layer is unknown, or its channels are not on the last axis, and it is not excluded.
    """
    layer = call.layer
    kind = type(layer)
    found: Rule | None = _GATE if isinstance(layer, Gate) else _BY_LAYER.get(kind)
    if found is None and not isinstance(layer, keras.layers.Layer):
        found = _BY_OPERATION.get(kind.__name__)
    if kind.__module__.startswith("keras."):
        found = _WHOLE if kind.__name__ in _WHOLE_BY_NAME else _PLACES if kind.__name__ in _PLACES_BY_NAME else found
    known = found is not None and not _trouble(call)
    if is_excluded(layer, exclude):
        return found if found is not None and known else _WHOLE
    if found is None or not known:
        what = _trouble(call) or "it is of a kind whose channels are not known"
        raise ValueError(
            f"Which channels belong together must be known of every layer. Received: {kind.__name__} {layer.name!r}; "
            f"{what}. Keep all channels around it with exclude={re.escape(layer.name)!r}, or put a layer of Keras in "
            "its place."
        )
    return found


def is_excluded(layer: Any, exclude: Sequence[str]) -> bool:
    """Whether one of the regular expressions is that of a layer's name, all of it."""
    return any(re.fullmatch(pattern, layer.name) for pattern in exclude)


def patterns_of(exclude: Any, model: keras.Model | None = None) -> tuple[str, ...]:
    """What was given to exclude, one or several names, regular expressions or layers, as regular expressions.

    Args:
        exclude: What was given.
        model: Whose layers they are; `flattened` may give them other names.

    Raises:
        ValueError: If one is neither.
    """
    names = {} if model is None else flat_names(model)
    given = [exclude] if isinstance(exclude, (str, keras.layers.Layer)) else list(exclude or ())
    found: list[str] = []
    for part in given:
        if isinstance(part, keras.layers.Layer):
            part = re.escape(names.get(id(part), str(part.name)))
        try:
            re.compile(part)
        except (re.error, TypeError) as error:
            raise ValueError(
                "exclude must be names of layers, regular expressions, or layers. "
                f"Received: exclude={exclude!r} ({error}). For example exclude='head'."
            ) from error
        found.append(part)
    return tuple(found)


def _trouble(call: Call) -> str:
    """Why the channels of a layer of a known kind are not where they should be; empty if they are."""
    layer = call.layer
    if getattr(layer, "data_format", None) == _NOT_THE_LAST:
        return "its channels are not on the last axis (data_format='channels_first')"
    if type(layer) is keras.layers.BatchNormalization and layer.axis not in (-1, len(call.inputs[0].shape) - 1):
        return f"it normalizes another axis than the last one (axis={layer.axis})"
    return ""


_GATE, _WHOLE, _PLACES = GateRule(), Whole(), Places()
