"""What a layer does to channels."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from keras_dha.channels.atoms import Atoms
from keras_dha.channels.calls import Call

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Term:
    """A part of what a network costs: `factor * number of inputs * number of outputs`.

    Args:
        factor: A number.
        outputs: The channels that are counted, as numbers of `Atoms`; None counts as one channel.
        inputs: The same.
    """

    factor: float
    outputs: np.ndarray | None = None
    inputs: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Kept:
    """Which channels of a call's inputs and outputs are kept: bool arrays, one a tensor."""

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]


class Rule:
    """What one kind of layer does to the channels of its inputs, which are on the last axis.

    The rule for layers that look at each number by itself, which need nothing; others say what is different.
    """

    mixes: ClassVar[bool] = False
    """Whether an output depends on other channels of the input, so that what is to go must be zero there."""

    makes: ClassVar[bool] = False
    """Whether outputs are channels of its own, the number of which is free."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """The channels of the outputs, one array a tensor, from those of the inputs; ties and fixes what it must."""
        return [ids[0] for _ in call.outputs]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Whether a closed channel is zero in the outputs, for each channel, from the same of the inputs."""
        return [zeros[0] if keeps_zero(call.layer) else np.zeros_like(zeros[0]) for _ in call.outputs]

    def config(self, layer: Any, kept: Kept) -> dict[str, Any]:
        """What changes in the layer's config when channels go."""
        return {}

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """The layer's weights, without those of channels that go."""
        return layer.get_weights()

    def multiply_adds(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """The multiplications of a call, for one example, each with an addition; none, unless overridden."""
        return []

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """The numbers in the layer's weights: all that it has, unless overridden."""
        has_weights = isinstance(call.layer, keras.layers.Layer) and call.layer.weights
        return [Term(float(call.layer.count_params()))] if has_weights else []


def positions(call: Call, shape: Sequence[int | None]) -> float:
    """The number of places in a tensor of this shape, without batch and channels."""
    sizes = shape[1:-1]
    if any(size is None for size in sizes):
        raise ValueError(
            "Multiply-adds can be counted only where all sizes are known. "
            f"Received: shape={tuple(shape)} in {call.layer.name!r}. Build the model on an Input of a fixed size."
        )
    return float(np.prod([float(size) for size in sizes if size is not None]))


def keeps_zero(layer: Any) -> bool:
    """Whether a function of each number by itself gives 0 for 0; not a number is no."""
    values = _on(layer, np.zeros((1, 4), "float32"))
    return values is not None and bool(np.all(values == 0.0))


def looks_at_each(layer: Any) -> bool:
    """Whether a layer, or a function, looks at each number by itself."""
    x = np.array([[0.3, -0.7, 1.2, 0.1]], "float32")
    other = np.array([[0.3, 0.9, -2.0, 1.5]], "float32")
    ones, others = _on(layer, x), _on(layer, other)
    if ones is None or others is None or ones.shape != x.shape:
        return False
    return bool(ones[0, 0] == others[0, 0])


def _on(layer: Any, x: np.ndarray) -> np.ndarray | None:
    try:
        return keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(x)))
    except Exception:
        return None
