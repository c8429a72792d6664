"""Spaces by the names and sizes that the command line knows them by."""

from collections.abc import Sequence
from typing import Any

from keras_dha import spaces

COUNTED = {"nas_bench_201": "cells_per_stage", "darts": "cells", "mobile_net": "repeats"}
_KINDS: dict[str, Any] = {
    "nas_bench_201": spaces.NASBench201Space,
    "darts": spaces.DARTSSpace,
    "mobile_net": spaces.MobileNetSpace,
}


def make_space(
    name: str, input_shape: Sequence[int], num_classes: int, *, channels: int, cells: int
) -> spaces.ImageSpace:
    """A space.

    Args:
        name: One of `keras_dha.commands.SPACES`.
        input_shape: `(height, width, channels)` of a picture.
        num_classes: Number of outputs.
        channels: As in the space.
        cells: What the space calls as `COUNTED` says.

    Raises:
        ValueError: If the space refuses a size.
    """
    space: spaces.ImageSpace = _KINDS[name](
        tuple(input_shape), num_classes, channels=channels, **{COUNTED[name]: cells}
    )
    return space
