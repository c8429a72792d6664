"""Layers whose number of channels is free: convolutions and dense layers."""

from typing import Any

import keras
import numpy as np

from keras_dha.channels.atoms import Atoms
from keras_dha.channels.calls import Call
from keras_dha.channels.rule import Kept, Rule, Term, keeps_zero, looks_at_each, positions


class Making(Rule):
    """A layer with a kernel from all channels of its input to channels of its own."""

    mixes = True
    makes = True

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """New channels; a fused activation that mixes them, such as a softmax, keeps them whole."""
        return [atoms.new(call.outputs[0].shape[-1], fixed=not looks_at_each(call.layer.activation))]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Not zero."""
        return [np.zeros(call.outputs[0].shape[-1], dtype=bool)]


class Dense(Making):
    """A product of matrices on the last axis."""

    def config(self, layer: Any, kept: Kept) -> dict[str, Any]:
        """The number of units."""
        return {"units": int(kept.outputs[0].sum())}

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """Rows and columns of the kernel, and the bias."""
        kernel, *bias = layer.get_weights()
        return [kernel[kept.inputs[0]][:, kept.outputs[0]], *(b[kept.outputs[0]] for b in bias)]

    def multiply_adds(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """The kernel, at each place."""
        return [Term(positions(call, call.outputs[0].shape), outputs[0], ids[0])]

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """Kernel and bias."""
        return [Term(1.0, outputs[0], ids[0]), *_bias(call, outputs[0])]


class Convolution(Making):
    """A convolution, or a transposed one; one of several groups keeps its channels whole."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """New channels."""
        made = super().follow(call, ids, atoms)
        if _groups(call.layer) > 1:
            for numbers in (ids[0], made[0]):
                atoms.fix(numbers)
        return made

    def config(self, layer: Any, kept: Kept) -> dict[str, Any]:
        """The number of filters."""
        return {"filters": int(kept.outputs[0].sum())}

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """The kernel of kept inputs and outputs, and the bias."""
        kernel, *bias = layer.get_weights()
        if _groups(layer) == 1:
            rows, columns = (
                (kept.outputs[0], kept.inputs[0]) if _is_transposed(layer) else (kept.inputs[0], kept.outputs[0])
            )
            kernel = kernel[..., rows, :][..., columns]
        return [kernel, *(b[kept.outputs[0]] for b in bias)]

    def multiply_adds(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """The kernel, at each place of the output; of a transposed convolution, at each place of its input."""
        where = call.inputs[0] if _is_transposed(call.layer) else call.outputs[0]
        return [Term(_size(call.layer) * positions(call, where.shape), outputs[0], ids[0])]

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """Kernel and bias."""
        return [Term(_size(call.layer), outputs[0], ids[0]), *_bias(call, outputs[0])]


class Depthwise(Rule):
    """A depthwise convolution, whose outputs go with their inputs."""

    makes = True  # though its width is that of what it reads

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """Each channel as often as the depth multiplier says."""
        if not looks_at_each(call.layer.activation):
            atoms.fix(ids[0])
        return [np.repeat(ids[0], call.layer.depth_multiplier)]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Zero stays zero without a bias."""
        layer = call.layer
        stays = not layer.use_bias and keeps_zero(layer.activation)
        return [np.repeat(zeros[0] & stays, layer.depth_multiplier)]

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """The kernels of kept inputs, and the bias."""
        kernel, *bias = layer.get_weights()
        return [kernel[..., kept.inputs[0], :], *(b[kept.outputs[0]] for b in bias)]

    def multiply_adds(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """A kernel an output, at each place."""
        return [Term(_size(call.layer) * positions(call, call.outputs[0].shape), outputs[0])]

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """A kernel an output, and the bias."""
        return [Term(_size(call.layer), outputs[0]), *_bias(call, outputs[0])]


class Separable(Making):
    """A depthwise convolution, then one of size 1."""

    def config(self, layer: Any, kept: Kept) -> dict[str, Any]:
        """The number of filters."""
        return {"filters": int(kept.outputs[0].sum())}

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """Both kernels, and the bias."""
        depthwise, pointwise, *bias = layer.get_weights()
        rows = np.repeat(kept.inputs[0], layer.depth_multiplier)
        pointwise = pointwise[..., rows, :][..., kept.outputs[0]]
        return [depthwise[..., kept.inputs[0], :], pointwise, *(b[kept.outputs[0]] for b in bias)]

    def multiply_adds(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """Both kernels, at each place."""
        places, between = positions(call, call.outputs[0].shape), self._between(call, ids[0])
        return [Term(_size(call.layer) * places, between), Term(places, outputs[0], between)]

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """Both kernels, and the bias."""
        between = self._between(call, ids[0])
        return [Term(_size(call.layer), between), Term(1.0, outputs[0], between), *_bias(call, outputs[0])]

    @staticmethod
    def _between(call: Call, ids: np.ndarray) -> np.ndarray:
        return np.repeat(ids, call.layer.depth_multiplier)


def _size(layer: Any) -> float:
    """How many numbers a kernel has for an input and an output."""
    return float(np.prod(layer.kernel_size)) / _groups(layer)


def _bias(call: Call, outputs: np.ndarray) -> list[Term]:
    return [Term(1.0, outputs)] if call.layer.use_bias else []


def _groups(layer: Any) -> int:
    return getattr(layer, "groups", 1)


def _is_transposed(layer: Any) -> bool:
    return isinstance(layer, (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose))
