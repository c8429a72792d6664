"""Layers that pass channels on: normalization, sums, products, and what moves them."""

import math
from typing import Any

import keras
import numpy as np

from keras_dha.channels.atoms import Atoms
from keras_dha.channels.calls import Call
from keras_dha.channels.rule import Kept, Rule, Term, looks_at_each


class Each(Rule):
    """A function of each number by itself; one that is not, such as a softmax, keeps its channels whole."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """As they are."""
        if not looks_at_each(call.layer):
            atoms.fix(ids[0])
        return [ids[0]]


class Places(Rule):
    """Pooling, padding, dropout and the like, for which a channel of zeros stays one."""

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """As it is."""
        return [zeros[0]]


class Whole(Rule):
    """A layer that looks at all channels together, such as layer normalization: none of them can go."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """As they are, for good; other numbers of channels are new."""
        for numbers in ids:
            atoms.fix(numbers)
        same = ids[0] if ids else np.zeros(0, dtype=np.int64)
        return [
            same if tensor.shape and tensor.shape[-1] == len(same) else atoms.new(_size(tensor), fixed=True)
            for tensor in call.outputs
        ]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Of no interest: all are kept."""
        return [np.zeros(_size(tensor), dtype=bool) for tensor in call.outputs]


class BatchNormalization(Rule):
    """Batch normalization, whose shift makes a channel of zeros one of another constant."""

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Not zero."""
        return [np.zeros_like(zeros[0])]

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """Those of kept channels."""
        return [values[kept.outputs[0]] for values in layer.get_weights()]

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """Two to four numbers a channel, the moving statistics among them."""
        return [Term(float(len(call.layer.weights)), outputs[0])]


class PReLU(Rule):
    """A ReLU with learned slopes."""

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """As it is."""
        return [zeros[0]]

    def weights(self, layer: Any, kept: Kept) -> list[np.ndarray]:
        """Those of kept channels."""
        (slopes,) = layer.get_weights()
        return [slopes if slopes.shape[-1] == 1 else slopes[..., kept.outputs[0]]]

    def parameters(self, call: Call, ids: list[np.ndarray], outputs: list[np.ndarray]) -> list[Term]:
        """The slopes."""
        shape = call.layer.weights[0].shape
        own = None if shape[-1] == 1 else outputs[0]
        return [Term(float(math.prod(shape[:-1])), own)]


class Rescaling(Rule):
    """`scale * x + offset`; where these are not single numbers, channels are kept whole."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """As they are."""
        if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
            atoms.fix(ids[0])
        return [ids[0]]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Zero without an offset."""
        return [zeros[0] & bool(np.all(np.equal(call.layer.offset, 0.0)))]


class Join(Rule):
    """A sum, a mean, a maximum: channels at the same place go together, and are zero if all are."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """Those of the inputs, tied; a single channel is spread over all, and stays."""
        width = call.outputs[0].shape[-1]
        full = [numbers for numbers in ids if len(numbers) == width]
        for numbers in ids:
            if len(numbers) != width:
                atoms.fix(numbers)
        if not full:  # a single channel, and several constants
            return [atoms.new(width, fixed=True)]
        for numbers in full[1:]:
            atoms.tie(full[0], numbers)
        if any(np.size(value) > 1 for value in call.constants):
            atoms.fix(full[0])
        return [full[0]]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Zero if all inputs are, and nothing else is added."""
        others = all(bool(np.all(np.asarray(value) == 0)) for value in call.constants)
        return [_as_wide(np.logical_and.reduce(np.broadcast_arrays(*zeros)) & others, call)]


class Product(Join):
    """A product, which is zero if any factor is."""

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Zero if any factor is."""
        return [_as_wide(np.logical_or.reduce(np.broadcast_arrays(*zeros)), call)]


class Quotient(Join):
    """A quotient, which is zero if what is divided is; a divisor that is a tensor keeps its channels whole."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """As a sum."""
        if len(ids) > 1 or not isinstance(call.node.arguments.args[0], keras.KerasTensor):
            for numbers in ids:
                atoms.fix(numbers)
        return super().follow(call, ids, atoms)

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """As it is."""
        return [_as_wide(np.logical_and.reduce(np.broadcast_arrays(*zeros)), call)]


class Concatenate(Rule):
    """Channels one after another; along other axes, as a sum."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """All of them."""
        if _is_last(call.layer.axis, call.outputs[0]):
            return [np.concatenate(ids)]
        for numbers in ids[1:]:
            atoms.tie(ids[0], numbers)
        return [ids[0]]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Each as it is."""
        return [np.concatenate(zeros) if _is_last(call.layer.axis, call.outputs[0]) else np.logical_and.reduce(zeros)]


class Reshape(Rule):
    """Flattening and reshaping: a channel is in many places of the last axis, or stays the last axis."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """The channels again and again; what does not divide is kept whole."""
        times, rest = divmod(_size(call.outputs[0]), max(len(ids[0]), 1))
        if rest or not times:
            atoms.fix(ids[0])
            return [atoms.new(_size(call.outputs[0]), fixed=True)]
        return [np.tile(ids[0], times)]

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """Each as it is."""
        times, rest = divmod(_size(call.outputs[0]), max(len(zeros[0]), 1))
        return [np.zeros(_size(call.outputs[0]), dtype=bool) if rest or not times else np.tile(zeros[0], times)]

    def config(self, layer: Any, kept: Kept) -> dict[str, Any]:
        """The last size, if there is one."""
        shape = layer.get_config().get("target_shape")
        return {} if shape is None else {"target_shape": [*shape[:-1], int(kept.outputs[0].sum())]}


class Permute(Whole):
    """A permutation of axes, which may leave the last one where it is."""

    def follow(self, call: Call, ids: list[np.ndarray], atoms: Atoms) -> list[np.ndarray]:
        """As they are, if they stay where they are."""
        stays = call.layer.dims[-1] == len(call.layer.dims)
        return [ids[0]] if stays else super().follow(call, ids, atoms)

    def zero(self, call: Call, zeros: list[np.ndarray]) -> list[np.ndarray]:
        """As it is."""
        return [zeros[0]] if len(zeros[0]) == _size(call.outputs[0]) else super().zero(call, zeros)


def _as_wide(zero: np.ndarray, call: Call) -> np.ndarray:
    return np.broadcast_to(zero, (_size(call.outputs[0]),))


def _size(tensor: Any) -> int:
    return int(tensor.shape[-1] or 0) if len(tensor.shape) else 0


def _is_last(axis: int, tensor: Any) -> bool:
    return axis in (-1, len(tensor.shape) - 1)
