"""Channels, each multiplied with the weight of its option."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.channels import Gate
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

    def settle(self, kept: Mapping[str, Sequence[int]]) -> None:
        """Keeps the options at these positions, by the name of the choice. Graphs must be traced anew."""
        parts = [np.isin(np.arange(len(choice.options)), list(kept[choice.name])) for choice in self.choices]
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
        if self._kept is not None:
            return x if self._kept.all() else x * ops.convert_to_tensor(self._kept.astype("float32"), dtype=x.dtype)
        scales = weights[0] if len(weights) == 1 else ops.concatenate(weights)
        if not np.array_equal(self.index, np.arange(self._total)):
            scales = ops.take(ops.concatenate([scales, ops.ones((1,), scales.dtype)]), self.index % (self._total + 1))
        return x * ops.cast(scales, x.dtype)

    def compute_output_spec(self, inputs: list[Tensor]) -> Any:
        """As the tensor."""
        return keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)
