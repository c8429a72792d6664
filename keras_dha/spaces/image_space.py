"""A space of networks that see pictures."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.search_space import SearchSpace


class ImageSpace(SearchSpace):
    """A family of networks from pictures, channels last, to logits; the base of the ready-made cell spaces.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: Number of outputs.
        channels: Number of channels of the first cell.
        affine: Whether batch normalizations inside the cells learn a scale and a shift.

    Raises:
        ValueError: If a size is not a positive integer, `input_shape` has not three, or Keras is set to channels first.
    """

    def __init__(self, input_shape: Sequence[int], num_classes: int, *, channels: int, affine: bool) -> None:
        super().__init__(input_shape, num_classes)
        if len(self.input_shape) != 3:
            raise ValueError(
                f"input_shape must be (height, width, channels). Received: input_shape={self.input_shape}. "
                "Add an axis of length 1 for grey pictures; leave the batch size out."
            )
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "The ready-made spaces need channels last. "
                f"Received: keras.config.image_data_format()={keras.config.image_data_format()!r}. "
                'Call keras.config.set_image_data_format("channels_last").'
            )
        self.channels = self._at_least(1, "channels", channels)
        self.affine = bool(affine)

    @staticmethod
    def _at_least(smallest: int, name: str, value: int) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < smallest:
            raise ValueError(f"{name} must be an integer, {smallest} or more. Received: {name}={value!r}.")
        return int(value)

    @staticmethod
    def _range(name: str, values: Sequence[int]) -> tuple[int, int]:
        pair = tuple(values)
        whole = all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in pair)
        if len(pair) != 2 or not whole or not 1 <= pair[0] <= pair[1]:
            raise ValueError(
                f"{name} must be two integers, the fewest and the most, 1 <= fewest <= most. "
                f"Received: {name}={values!r}. Give (2, 2) for always two."
            )
        return int(pair[0]), int(pair[1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "channels": self.channels, "affine": self.affine}
