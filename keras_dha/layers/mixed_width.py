"""Channels, each multiplied with the weight of its option."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.channels import Gate
from keras_dha.channels.calls import Call, called_anew, calls, producer
from keras_dha.layers.batch_normalization import BatchNormalization
from keras_dha.layers.choice_weights import ChoiceWeights
from keras_dha.layers.sized_depthwise import SizedDepthwise
from keras_dha.layers.sized_layer import parts_of, rms
from keras_dha.spaces import Choice

Tensor = Any


class MixedWidth(Gate):
    """`y[..., c] = x[..., c] * weight of c`, in a supernet; closed channels are 0 after `settle`.

    Args:
        choices: The choices that channels belong to, each with an option a channel.
        index: For each channel the number of its option, counted through all choices; -1: it always stays.
        **kwargs: Of `keras.layers.Layer`.
    """

    def __init__(self, choices: Sequence[Choice], index: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices = tuple(choices)
        self.index = np.asarray(index, dtype="int32")
        self._total = sum(len(choice.options) for choice in choices)
        self._kept: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        """Of the choices."""
        return [choice.name for choice in self.choices]

    def sizes_of(self, choice: Choice, x: Tensor) -> Callable[[], Tensor]:
        """What says how large the weights are that make the channels of each part of a choice, but those of the first.

        Args:
            choice: A choice of nested options, one of `choices`.
            x: The symbolic tensor that is gated: the output of a convolution or dense layer, normalized or not.
        """
        first = sum(len(other.options) for other in self.choices[: self.choices.index(choice)])
        layer, inputs = producer(x)
        while isinstance(layer, (keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU)):
            layer, inputs = producer(inputs[0])

        def part_sizes() -> Tensor:
            kernel = getattr(layer, "depthwise_kernel", getattr(layer, "kernel", None))
            if kernel is None:
                raise ValueError(
                    f"The width {choice.name!r} must stand behind a convolution or dense layer, so that its parts can "
                    f"be measured. Received: {layer.name!r}. Put it there, or do without NormThreshold."
                )
            is_depthwise = isinstance(layer, (SizedDepthwise, keras.layers.DepthwiseConv2D))
            by_channel = ops.moveaxis(ops.convert_to_tensor(kernel), 2 if is_depthwise else -1, 0)
            numbers = range(first + 1, first + len(choice.options))
            return ops.stack([rms(ops.take(by_channel, np.flatnonzero(self.index == i), axis=0)) for i in numbers])

        return part_sizes

    def settle(self, kept: Mapping[str, Sequence[int]]) -> None:
        """Keeps the options at these positions, by the name of the choice. Graphs must be traced anew."""
        parts = [choice.parts(kept[choice.name]) for choice in self.choices]
        self._kept = np.concatenate([*parts, [True]])[self.index]

    def reopen(self) -> None:
        """Takes `settle` back. Graphs must be traced anew."""
        self._kept = None

    def open_channels(self) -> np.ndarray:
        """What is kept after `settle`, all before."""
        return np.ones(len(self.index), dtype=bool) if self._kept is None else self._kept

    def call(self, inputs: list[Tensor]) -> Tensor:
        """The product. `inputs`: the tensor, then the weights of the options of each choice."""
        x, *weights = inputs
        scales = self.scales(weights)
        return x if scales is None else x * ops.cast(scales, x.dtype)

    def scales(self, weights: Sequence[Tensor]) -> Tensor | None:
        """What channels are multiplied with, `(channels,)`; None where all are settled to be open."""
        if self._kept is not None:
            return None if self._kept.all() else ops.convert_to_tensor(self._kept.astype("float32"))
        parts = [parts_of(own) if choice.nested else own for choice, own in zip(self.choices, weights)]
        scales = parts[0] if len(parts) == 1 else ops.concatenate(parts)
        if not np.array_equal(self.index, np.arange(self._total)):
            scales = ops.take(ops.concatenate([scales, ops.ones((1,), scales.dtype)]), self.index % (self._total + 1))
        return scales

    def compute_output_spec(self, inputs: list[Tensor]) -> Any:
        """As the tensor."""
        return keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)


class _Scales(keras.layers.Layer):
    """What a `MixedWidth` multiplies with, as a tensor of the graph."""

    def __init__(self, gate: MixedWidth, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self._gate = gate

    def call(self, weights: list[Tensor]) -> Tensor:
        """`(channels,)`."""
        scales = self._gate.scales(weights)
        return ops.ones((len(self._gate.index),)) if scales is None else scales

    def compute_output_spec(self, weights: list[Tensor]) -> Any:
        """One number a channel, without a batch axis."""
        return keras.KerasTensor((len(self._gate.index),), dtype="float32")


def with_fused_gates(network: keras.Model) -> keras.Model:
    """A functional model of the same layers, in which normalizations take the gates behind them into their scales.

    That spares the passes over memory which a gate takes. In half precision gates stay as they are, in float32.
    """
    made = calls(network)
    asking = (call for call in made if not isinstance(call.layer, ChoiceWeights))  # these read no values
    readers = Counter(id(tensor) for call in asking for tensor in call.inputs)
    readers.update(id(tensor) for tensor in keras.tree.flatten(network.output))
    gates = {id(call.inputs[0]) for call in made if isinstance(call.layer, MixedWidth)}
    normalizations: dict[int, BatchNormalization] = {}  # by what they give, which their gates take

    def apply(call: Call, args: Any, kwargs: Any) -> Any:
        layer, output = call.layer, id(call.outputs[0])
        if output in gates and readers[output] == 1 and _can_scale(layer):
            normalizations[output] = layer
            return args[0]
        if isinstance(layer, MixedWidth) and id(call.inputs[0]) in normalizations:
            x, *weights = args[0]
            return normalizations[id(call.inputs[0])](x, weight=_Scales(layer)(weights))
        return layer(*args, **kwargs)

    outputs = called_anew(network, keras.tree.flatten(network.input), apply)
    return keras.Model(network.input, outputs, name=network.name)


def _can_scale(layer: Any) -> bool:
    return type(layer) is BatchNormalization and layer.compute_dtype == "float32"
