"""The command line's defaults: their names, and all that depends on the size of the data."""

import pkgutil
from collections.abc import Sequence
from pathlib import Path

SPACES = ("nas_bench_201", "darts", "mobile_net")
# By their files, for --help, which must not load Keras; a test compares them with keras_dha.recipes.RECIPES.
_FOLDER, _NO_METHODS = Path(__file__).parents[1] / "recipes", {"dnal", "recipe", "table", "tune"}
RECIPES = tuple(sorted({name for _, name, _ in pkgutil.iter_modules([str(_FOLDER)])} - _NO_METHODS))
CHANNELS = {"nas_bench_201": 16, "darts": 16, "mobile_net": 8}
CELLS = {"nas_bench_201": 1, "darts": 5, "mobile_net": 2}

# (largest side in pixels, largest number of examples) -> settings; the first line that fits the data is taken.
_BY_SIZE = {
    (12, 5_000): {"epochs": 60, "batch_size": 64},
    (32, 20_000): {"epochs": 40, "batch_size": 64},
    (32, 200_000): {"epochs": 50, "batch_size": 128},
}
_LARGE = {"epochs": 50, "batch_size": 64}


def defaults_for(shape: Sequence[int], num_examples: int, space: str = "nas_bench_201") -> dict[str, int]:
    """Settings for a data set, where the user gave none.

    Args:
        shape: Shape of one example, `(height, width, channels)`.
        num_examples: Number of training examples.
        space: One of `SPACES`.

    Returns:
        `channels` of the first cell, `cells` (of each stage in `nas_bench_201`; in `mobile_net` most layers of one),
        `epochs`, and `batch_size`, which is at most a quarter of the examples.
    """
    side = max(shape[:2])
    fitting = (line for (most, many), line in _BY_SIZE.items() if side <= most and num_examples <= many)
    chosen = next(fitting, _LARGE)
    batch_size = max(1, min(chosen["batch_size"], num_examples // 4))
    return {**chosen, "batch_size": batch_size, "channels": CHANNELS[space], "cells": CELLS[space]}
