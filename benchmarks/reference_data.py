"""The data that benchmarks share: a folder with `load.py` and its `.npz` files, which is not part of the project."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def loaders() -> Any:
    """The module `load` of the folder that `KERAS_DHA_DATA` names (default: ../shared/data)."""
    folder = Path(os.environ.get("KERAS_DHA_DATA", "../shared/data")).resolve()
    if not (folder / "load.py").is_file():
        raise SystemExit(f"The benchmark needs its data folder. Received: {folder}. Set KERAS_DHA_DATA.")
    sys.path.insert(0, str(folder))
    import load

    return load


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of a data set, images with a channel axis."""
    data = getattr(loaders(), name)()
    images = {key: data[key] if data[key].ndim == 4 else data[key][..., None] for key in ("x_train", "x_test")}
    return {**images, "y_train": data["y_train"].astype("int32"), "y_test": data["y_test"].astype("int32")}
