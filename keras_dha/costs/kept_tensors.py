"""What a layer's gradient needs of its forward pass."""

import dataclasses
import math
from typing import Any

import keras

from keras_dha.channels.calls import Call, calls, functional, is_model

_KEEPS = {  # what the gradient of a layer reads, by the name of its class; what is not here: inputs and outputs
    "inputs": (
        "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D "
        "SeparableConv1D SeparableConv2D Dense EinsumDense BatchNormalization LayerNormalization GroupNormalization "
        "Multiply Dot"
    ),
    "outputs": "ReLU Softmax Activation Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D",
    "nothing": (
        "Add Subtract Average Concatenate Identity Rescaling Flatten Reshape Permute ActivityRegularization "
        "ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D "
        "AveragePooling1D AveragePooling2D AveragePooling3D GlobalAveragePooling1D GlobalAveragePooling2D "
        "GlobalAveragePooling3D InputLayer AnyOutput"
    ),
}
_KEPT_BY = {name: kept for kept, names in _KEEPS.items() for name in names.split()}
_SAME = {"Identity", "Flatten", "Reshape", "InputLayer"}  # their output is their input


@dataclasses.dataclass(frozen=True)
class KeptTensors:
    """What a network keeps of one example until its gradients are known, and what it is made of.

    Args:
        elements: Numbers in tensors that are kept, each tensor once, inputs left out.
        reads_input: Whether an input is among the tensors that are kept.
        rectified: Numbers that a ReLU in front of everything gives, which are among `elements`; 0 if there is none.
        outputs: Numbers in the outputs.
        outputs_kept: Whether an output is among the tensors that are kept, or is an input.
        parameters: Trained numbers.
        layers: Layers that compute something.

    Example:

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU(), keras.layers.Dense(3)])
    >>> KeptTensors.of(model).elements  # what the ReLU gives is read by the dense layer's gradient, and by its own
    4
    """

    elements: int
    reads_input: bool
    rectified: int
    outputs: int
    outputs_kept: bool
    parameters: int
    layers: int

    @classmethod
    def of(cls, model: keras.Model) -> "KeptTensors":
        """Counts those of a functional or `Sequential` model, built on inputs of a fixed size.

        Raises:
            ValueError: If a size is unknown.
        """
        model = functional(model)
        walk = _Walk(model)
        inputs = {walk.key(tensor) for tensor in model.inputs}
        outputs = {walk.key(tensor) for tensor in model.outputs}
        leads = len(walk.steps) > 1 and type(walk.steps[0].layer).__name__ == "ReLU"
        return cls(
            elements=sum(size for key, size in walk.kept.items() if key not in inputs),
            reads_input=bool(inputs & set(walk.kept)),
            rectified=elements_of(walk.steps[0].outputs[0]) if leads else 0,
            outputs=sum(map(elements_of, model.outputs)),
            outputs_kept=bool(outputs & (set(walk.kept) | inputs)),
            parameters=sum(math.prod(variable.shape) for variable in model.trainable_variables),
            layers=sum(type(step.layer).__name__ not in _SAME for step in walk.steps),
        )


def elements_of(tensor: Any) -> int:
    """Numbers in a symbolic tensor, of one example.

    Raises:
        ValueError: If a size is unknown.
    """
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise ValueError(
            f"Memory can be told of networks of known sizes. Received: a tensor of shape {tensor.shape}. "
            "Build it on inputs of a fixed size."
        )
    return math.prod(shape)


class _Walk:
    """The calls of a model, and of the models in it, and the tensors that their gradients read."""

    def __init__(self, model: keras.Model) -> None:
        self.steps: list[Call] = []
        self.kept: dict[Any, int] = {}
        self._same: dict[Any, Any] = {}
        self._depth: tuple[int, ...] = ()
        self._walk(model)

    def key(self, tensor: Any, depth: tuple[int, ...] | None = None) -> Any:
        """Equal for tensors that are one in memory."""
        own = (self._depth if depth is None else depth, id(tensor))
        return self._same.get(own, own)

    def _walk(self, model: keras.Model) -> None:
        for number, call in enumerate(calls(model)):
            if is_model(call.layer):
                self._enter(functional(call.layer), call, number)
                continue
            self.steps.append(call)
            if type(call.layer).__name__ in _SAME and len(call.inputs) == len(call.outputs):
                for given, made in zip(call.inputs, call.outputs):
                    self._same[self._depth, id(made)] = self.key(given)
            for tensor in self._read(call):
                self.kept[self.key(tensor)] = elements_of(tensor)

    def _enter(self, inner: keras.Model, call: Call, number: int) -> None:
        outer = self._depth
        given = [self.key(tensor) for tensor in call.inputs]
        self._depth = (*outer, number)  # a model may be called twice
        self._same |= {(self._depth, id(tensor)): key for tensor, key in zip(inner.inputs, given)}
        self._walk(inner)
        made = [self.key(tensor) for tensor in inner.outputs]
        self._depth = outer
        self._same |= {(outer, id(tensor)): key for tensor, key in zip(call.outputs, made)}

    def _read(self, call: Call) -> tuple[Any, ...]:
        """The tensors that the gradient of a call reads."""
        kept = _KEPT_BY.get(type(call.layer).__name__, "all")
        activation = getattr(call.layer, "activation", None)
        activates = kept == "inputs" and activation not in (None, keras.activations.linear)
        inputs = call.inputs if kept in ("inputs", "all") else ()
        outputs = call.outputs if kept in ("outputs", "all") or activates else ()
        return (*inputs, *outputs)
